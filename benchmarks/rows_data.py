"""Drops of many rows, made without a network: spreadsheets, stored photos, and the tables that fetching would fill.

    python benchmarks/rows_data.py FOLDER --rows 100000 --photos 2000 --drops 10
    python benchmarks/rows_data.py FOLDER --rows 100 --add 900

Each row has a URL of its own, and many URLs lead to one photo. A small model is trained on drawn photos; the features
of the rows' photos lie around those that it knows, some far off, so that every rule decides on some.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from meter_pipeline.demo.drawing.designs import known_designs
from meter_pipeline.demo.drawing.photo import Shot, draw_photo
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import TrainingSettings, load_settings
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import IMAGE_FEATURES, URL_IMAGES
from meter_pipeline.training.trained_model import train_model

CLASSES, LABELLED_PHOTOS = 6, 10
SIDE, DRAWN_SIDE = 240, 96
"""Pixels of a labelled photo's longer side, and of a row's photo."""
SHARE_STRANGE = 0.1
"""Photos that look like no known class."""
URL = "https://photos.example/2026/{0:03d}/IMG_{1:09d}.jpg"
STREETS = ("Mill Road", "High Street", "Station Road", "Church Lane", "Green Lane", "Park Avenue")


def train_small(layout: Layout) -> None:
    """Train a model on a few drawn photos and put it into use."""
    rows = []
    for design in known_designs()[:CLASSES]:
        for number in range(LABELLED_PHOTOS):
            photo = Image.open(BytesIO(draw_photo(Shot(design, f"m{number}", f"v{number}"))))
            photo.thumbnail((SIDE, SIDE))
            path = f"{design.name}/{number:03d}.jpg"
            content = _jpeg(photo)
            write_bytes(layout.raw / path, content)
            image_id = hashlib.sha256(content).hexdigest()
            split = "train" if number < LABELLED_PHOTOS - 2 else "val"
            rows.append((image_id, path, design.name, image_id, split, "generated"))
    split = pd.DataFrame(rows, columns=["image_id", "path", "label", "group_id", "split", "rule"])
    small = {"backbone": "efficientnet_lite0", "epochs_head": 2, "epochs_tune": 1, "train_views": 3, "batch_size": 8}
    settings = load_settings(data_dir=layout.root, **small)
    card = train_model(split, layout, TrainingSettings.from_settings(settings))
    set_champion(layout, card.version, reason="generated")


def add_photos(layout: Layout, first: int, count: int) -> list[str]:
    """Store photos and the features that the champion would find in them; return their ids."""
    drawn = _jpeg(Image.fromarray(np.random.default_rng(first).integers(0, 255, (DRAWN_SIDE, DRAWN_SIDE, 3), np.uint8)))
    image_ids = []
    for number in range(first, first + count):
        content = drawn + number.to_bytes(4, "big")
        image_ids.append(hashlib.sha256(content).hexdigest())
        path = layout.image(image_ids[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    layout.lake.append(IMAGE_FEATURES, _features(layout, image_ids, np.random.default_rng([first, 1])))
    return image_ids


def add_urls(layout: Layout, drop: int, image_ids: list[str], rows: int) -> list[str]:
    """Write what fetching one URL for each row of a drop would, the photos in turns; return the URLs."""
    urls = [URL.format(drop, number) for number in range(rows)]
    random = np.random.default_rng([drop, 2])
    photos = [image_ids[number % len(image_ids)] for number in range(rows)]
    table = pd.DataFrame(
        {
            "image_url": urls,
            "outcome": "ok",
            "image_id": photos,
            "bytes": [layout.image(image_id).stat().st_size for image_id in image_ids[:1]] * rows,
            "width": DRAWN_SIDE,
            "height": DRAWN_SIDE,
            "format": "JPEG",
            **{name: _of_photos(photos, name) for name in ("brightness", "contrast", "sharpness")},
            "glare": 0.0,
            "green_ratio": 0.1,
            "attempts": 1,
            "seconds": random.random(rows),
            "fetched_at": "2026-01-02T03:04:05+00:00",
        }
    )
    layout.lake.append(URL_IMAGES, table.reindex(columns=list(URL_IMAGES.columns)).astype({"notes": object}))
    return urls


def drop_file(layout: Layout, drop: int, urls: list[str]) -> Path:
    """Write a spreadsheet of URLs with some other columns."""
    path = layout.drops / f"round_{drop:03d}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        lines = csv.writer(handle)
        lines.writerow(["Account", "Address", "Photo", "Reading", "Remark"])
        for number, url in enumerate(urls):
            street = f"{STREETS[number % len(STREETS)]} {number % 211}"
            lines.writerow([f"{drop:03d}-{number:07d}", street, url, f"{number * 7 % 99999:05d}", "read on site"])
    return path


def _features(layout: Layout, image_ids: list[str], random: np.random.Generator) -> pa.Table:
    model = load_model(layout)
    known, count, classes = model.reference.known, len(image_ids), len(model.classes)
    like = random.integers(0, len(known.labels), count)
    strange = random.random(count) < SHARE_STRANGE
    noise = np.where(strange, 1.5, 0.15)[:, None]

    def near(vectors: np.ndarray) -> np.ndarray:
        spread = noise / np.sqrt(vectors.shape[1])
        return (vectors[like] + spread * random.normal(size=(count, vectors.shape[1]))).astype(np.float32)

    logits = random.normal(0, 1, (count, classes))
    logits[np.arange(count), known.labels[like]] += np.where(strange, 1.0, random.gamma(6, 1, count))
    columns = {
        "image_id": pa.array(image_ids, pa.string()),
        "model_version": pa.array([model.version] * count, pa.string()),
        "preprocess_id": pa.array([model.preprocess_id] * count, pa.string()),
        "logits": vector_column(logits),
        "embedding": vector_column(near(known.embeddings.tuned)),
        "pretrained_embedding": vector_column(near(known.embeddings.pretrained)),
        "colours": vector_column(known.embeddings.colours[like]),
        "printed": pa.nulls(count, IMAGE_FEATURES.columns["printed"].type),
        "views": pa.array([3] * count, pa.int64()),
        "reason": pa.nulls(count, pa.string()),
    }
    return pa.table({name: columns[name] for name in IMAGE_FEATURES.columns}, schema=IMAGE_FEATURES.schema)


def _of_photos(image_ids: list[str], name: str) -> list[float]:
    """Return a measure of each photo, the same wherever it stands; one in 50 is dark."""
    return [20.0 + int(hashlib.md5(f"{name}{image_id}".encode()).hexdigest()[:4], 16) / 400 for image_id in image_ids]


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.convert("RGB").save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def generate(layout: Layout, *, rows: int, photos: int, drops: int) -> None:
    """Make a data directory: a model, photos, and drops whose URLs are all fetched."""
    layout.prepare()
    train_small(layout)
    image_ids = add_photos(layout, 0, photos)
    for drop in range(drops):
        shift = drop * (rows // drops) % photos
        own = image_ids[shift:] + image_ids[:shift]
        drop_file(layout, drop, add_urls(layout, drop, own, rows // drops))


def add(layout: Layout, number: int, rows: int) -> None:
    """Add a drop whose photos are new, and what fetching them would have written."""
    layout.prepare()
    drop_file(layout, number, add_urls(layout, number, add_photos(layout, 1_000 * number, rows), rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=2_000)
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--add", type=int, help="the number of a drop to add to what is there")
    arguments = parser.parse_args()
    layout = Layout(arguments.folder.resolve())
    if arguments.add is not None:
        return add(layout, arguments.add, arguments.rows)
    return generate(layout, rows=arguments.rows, photos=arguments.photos, drops=arguments.drops)


if __name__ == "__main__":
    main()
