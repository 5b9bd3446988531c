"""A data directory with UNKNOWN photos of some designs: real JPEGs in the image store, rows in the lake."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import UNKNOWN_EMBEDDINGS, UNKNOWN_METADATA

DIMENSIONS = 32


def put_unknown(
    layout: Layout,
    designs: dict[str, int],
    *,
    model_version: str = "m1",
    contents: Mapping[str, Sequence[bytes]] = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Make these the only UNKNOWN photos, so many of each design, with no print; return the image ids by design.

    The n-th photo of a design is always the same, so a second call with more photos is growth. `contents`: the bytes
    of a design's first photos.
    """
    rows, vectors, ids = [], [], {}
    for design, count in designs.items():
        random = np.random.default_rng(list(design.encode()))
        centre, colour = random.normal(size=DIMENSIONS), random.integers(40, 220, 3)
        for number in range(count):
            content = _draw_photo(colour, random)
            image_id = _store_photo(layout, dict(enumerate(contents.get(design, ()))).get(number, content))
            vectors.append(centre + 0.15 * random.normal(size=DIMENSIONS))
            ids.setdefault(design, []).append(image_id)
            guesses = {f"top{k}_class": f"{design}{k}" for k in (1, 2, 3)}
            confidences = {f"top{k}_confidence": 0.4 / k for k in (1, 2, 3)}
            rows.append(
                {
                    "image_id": image_id,
                    "image_url": f"http://photos.example/{design}/{number}.jpg",
                    "model_version": model_version,
                    "final_prediction": "UNKNOWN",
                    **guesses,
                    **confidences,
                    "reason": "Top-1 softmax is under 50 %.",
                }
            )
    layout.lake.replace(UNKNOWN_METADATA, pd.DataFrame(rows, columns=list(UNKNOWN_METADATA.columns)))
    embedding = vector_column(np.array(vectors).reshape(-1, DIMENSIONS))
    columns = {
        "image_id": pa.array([row["image_id"] for row in rows], pa.string()),
        "model_version": pa.array([model_version] * len(rows), pa.string()),
        "embedding": embedding,
        "pretrained_embedding": embedding,
        "printed": vector_column(nothing_read(len(rows))),
        "print_hash": pa.nulls(len(rows), pa.string()),
    }
    layout.lake.replace(UNKNOWN_EMBEDDINGS, pa.table(columns, schema=UNKNOWN_EMBEDDINGS.schema))
    return ids


def draw_meter(seed: int, *, brightness: float = 1.0) -> bytes:
    """Draw some boxes of its own; another brightness is a second photo of the same meter."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (300, 400), (120, 120, 120))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = random.integers(0, 250, 2)
        draw.rectangle((left, top, left + 60, top + 60), tuple(random.integers(0, 200, 3).tolist()))
    buffer = io.BytesIO()
    image.point(lambda value: min(255, round(value * brightness))).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _draw_photo(colour: np.ndarray, random: np.random.Generator) -> bytes:
    pixels = np.clip(colour + random.normal(0, 20, (64, 48, 3)), 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "SECRET PHONE"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def _store_photo(layout: Layout, content: bytes) -> str:
    image_id = hashlib.sha256(content).hexdigest()
    write_bytes(layout.image(image_id), content)
    return image_id
