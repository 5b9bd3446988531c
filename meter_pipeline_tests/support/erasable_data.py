"""A small data directory with something of two drops in every place that keeps something of a row or a photo.

No model is needed: what the network would say is written down. A photo of the first drop is also in the second one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from meter_pipeline.batches.prediction_exports import export_drops
from meter_pipeline.dataset.promoted_files import promoted_name
from meter_pipeline.discovery.cluster_folders import write_cluster_folders
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.labels import Action
from meter_pipeline.photos.store import store
from meter_pipeline.photos.thumbnails import thumbnail
from meter_pipeline.review.deciding import decide
from meter_pipeline.review.reviewed_images import review_photos
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    CLUSTER_SUMMARY,
    DROP_ROWS,
    IMAGE_FEATURES,
    IMAGE_INVENTORY,
    PROMOTED_IMAGES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_METADATA,
    URL_IMAGES,
    TableSpec,
)
from meter_pipeline_tests.support.fault_server import jpeg

MAY = (
    "Customer,photo\nR. Vanderquist,http://p.example/das1.jpg?sig=KEY\nR. Vanderquist,http://p.example/das2.jpg\n"
    "B. Rao,http://p.example/shared.jpg\n"
)
JUNE = "Customer,photo\nB. Rao,http://p.example/shared.jpg\nC. Sen,http://p.example/sen.jpg\n"
CLASS = "TYPE_A"


@dataclass(frozen=True)
class ErasableData:
    """The directory, and its photos by the last part of their URL."""

    layout: Layout
    photos: dict[str, str]


def write_erasable_data(data_dir: Path) -> ErasableData:
    layout = Layout(data_dir)
    layout.prepare()
    (layout.drops / "batch77.csv").write_text(MAY, encoding="utf-8")
    (layout.drops / "june.csv").write_text(JUNE, encoding="utf-8")
    take_in_drops(layout)
    rows = layout.lake.frame(DROP_ROWS)
    urls = sorted(rows["image_url"].unique())
    photos = {url: store(layout, jpeg(seed)).image_id for seed, url in enumerate(urls)}
    _write(layout, URL_IMAGES, [{"image_url": u, "outcome": "ok", "image_id": i} for u, i in photos.items()])
    ids = sorted(photos.values())
    vector = np.ones(3, np.float32)
    _write(layout, IMAGE_FEATURES, [{"image_id": i, "model_version": "0001", "embedding": vector} for i in ids])
    predictions = rows[["drop", "position", "sheet", "row_number", "image_url"]].assign(
        image_id=rows["image_url"].map(photos), final_prediction="UNKNOWN", rule="guard", reason="Unlike."
    )
    _write(layout, BATCH_PREDICTIONS, predictions.to_dict("records"))
    first = predictions.sort_values(["drop", "position"], ascending=[False, True]).drop_duplicates("image_id")
    metadata = first.set_index("image_id")["image_url"]
    _write(layout, UNKNOWN_METADATA, [{"image_id": i, "image_url": metadata[i], "top1_class": CLASS} for i in ids])
    _write(layout, UNKNOWN_CLUSTERS, [{"image_id": i, "cluster_id": 0, "membership": 1.0, "revision": 1} for i in ids])
    _write(layout, CLUSTER_SUMMARY, [{"cluster_id": 0, "count": len(ids), "meters": 1, "representative": ids[0]}])
    _promote(layout, photos["http://p.example/das2.jpg"])
    export_drops(layout)
    write_cluster_folders(layout)
    for image_id in ids:
        thumbnail(layout, image_id, layout.image(image_id))
    layout.failure_log.parent.mkdir()
    layout.failure_log.write_text("run=1 step=drop_rows batch77.csv was not read\nrun=2 june.csv\n", encoding="utf-8")
    return ErasableData(layout, {url.rpartition("/")[2].partition("?")[0]: i for url, i in photos.items()})


def traces_of(layout: Layout, words: Sequence[str], *, but: Sequence[str] = ("drops/", "review/")) -> set[str]:
    """Return the files that hold one of the words, in their name or content, whatever compresses them."""
    found = set()
    for path in sorted(layout.root.rglob("*")):
        name = path.relative_to(layout.root).as_posix()
        if path.is_file() and not name.startswith(tuple(but)):
            content = _text_of(path) + name
            found |= {name for word in words if word in content}
    return found


def state_of(layout: Layout) -> dict[str, object]:
    """Return what the directory holds, so that two can be compared: files with their bytes, tables with their rows."""
    files = {
        path.relative_to(layout.root).as_posix(): path.read_bytes()
        for path in sorted(layout.root.rglob("*"))
        if path.is_file() and not path.is_relative_to(layout.root / "lake") and path.name != "erased.json"
    }
    tables = {
        folder.name: sorted(json.dumps(row, default=str) for row in _rows(folder))
        for folder in sorted((layout.root / "lake").iterdir())
    }
    return {"files": files, "tables": tables}


def _rows(folder: Path) -> list[dict[str, object]]:
    shards = [path for path in sorted(folder.glob("*.parquet")) if path.name in (folder / "manifest.json").read_text()]
    return [row for shard in shards for row in pq.read_table(shard).to_pylist()]


def _promote(layout: Layout, image_id: str) -> None:
    decide(layout, Action.NAME, (image_id,), by="anna", target=CLASS, source="test")
    review_photos(layout)
    path = f"{CLASS}/{promoted_name(image_id)}"
    (layout.raw / CLASS).mkdir()
    (layout.raw / path).write_bytes(layout.image(image_id).read_bytes())
    _write(layout, PROMOTED_IMAGES, [{"image_id": image_id, "label": CLASS, "status": "promoted", "path": path}])
    _write(layout, IMAGE_INVENTORY, [{"image_id": image_id, "label": CLASS, "origin": "promoted", "path": path}])


def _write(layout: Layout, spec: TableSpec, rows: Sequence[dict[str, object]]) -> None:
    layout.lake.replace(spec, pd.DataFrame(rows).reindex(columns=list(spec.columns)).astype(object))


def _text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist(), default=str)
    if path.suffix == ".xlsx":
        import zipfile

        with zipfile.ZipFile(path) as archive:
            return "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    return path.read_bytes().decode("utf-8", "replace")
