"""What the data folder holds of each asset: whether anything, and its data version.

Asset bodies report this version too, so what a run says of an asset and what the folder says of it never differ. It
follows from what was written alone (manifests, cards, lists of written files), never from what an asset was made from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from meter_pipeline.recognition.model_card import ModelCard, challenger_version, load_card
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import CLUSTERS_NOTE, EXPORTS_NOTE, Layout
from meter_pipeline.storage.tables import (
    ALL_TABLES,
    BATCH_PREDICTIONS,
    DATASET_SPLIT,
    DROP_ROWS,
    EVALUATION_AUDIT,
    IMAGE_FEATURES,
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
    PROMOTED_IMAGES,
    REVIEW_CONSTRAINTS,
    REVIEWED_IMAGES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
    URL_IMAGES,
    TableSpec,
)

NOTHING = "nothing"
"""Data version of what is no table and is not there."""
UNREADABLE = "unreadable"
"""Data version of what is there and damaged."""


@dataclass(frozen=True)
class Content:
    """What the data folder holds of an asset.

    Attributes:
        version: its data version; that of an empty table, or `NOTHING`, where nothing is there.
        is_there: whether anything was ever written, if only an empty table.
        rows: number of rows, of a table.
        problem: why it cannot be read, for a person; empty where it can.
    """

    version: str
    is_there: bool
    rows: int | None = None
    problem: str = ""


def content_of(asset: str, layout: Layout) -> Content:
    """Return what the folder holds of an asset.

    Raises:
        MeterError: what is there cannot be read.
    """
    return _READERS[asset](layout)


def data_version(asset: str, layout: Layout) -> str:
    """Return the data version of what the folder holds of an asset: for the asset's body, when it has written it."""
    return content_of(asset, layout).version


def _tables(first: TableSpec, *beside: TableSpec) -> Callable[[Layout], Content]:
    return partial(_of_tables, (first, *beside))


def _of_tables(specs: tuple[TableSpec, ...], layout: Layout) -> Content:
    lake = layout.lake
    versions = [lake.version(spec) for spec in specs]
    version = versions[0] if len(specs) == 1 else "".join(version[:16] for version in versions)
    return Content(version, is_there=lake.exists(specs[0]), rows=lake.count(specs[0]))


def _challenger(layout: Layout) -> Content:
    if not layout.challenger.exists():
        return Content(NOTHING, is_there=False)
    return _of_model(load_card(layout, challenger_version(layout)))


def _champion(layout: Layout) -> Content:
    return _of_model(load_card(layout)) if layout.champion.exists() else Content(NOTHING, is_there=False)


def _of_model(card: ModelCard) -> Content:
    return Content(f"{card.version}-{card.weights_sha256[:16]}", is_there=True)


def _exports(layout: Layout) -> Content:
    return _noted(layout.batch_reports / EXPORTS_NOTE)


def _cluster_folders(layout: Layout) -> Content:
    return _noted(layout.clusters / CLUSTERS_NOTE)


def _noted(note: Path) -> Content:
    """Return what was written for people by the note beside it, which holds hashes and is never read here."""
    return Content(sha256_of(note)[:32], is_there=True) if note.is_file() else Content(NOTHING, is_there=False)


def _warehouse(layout: Layout) -> Content:
    is_there = layout.warehouse.exists()
    return Content(f"{len(ALL_TABLES)} tables" if is_there else NOTHING, is_there)


_READERS: dict[str, Callable[[Layout], Content]] = {
    "image_inventory": _tables(IMAGE_INVENTORY),
    "dataset_split": _tables(DATASET_SPLIT),
    "trained_model": _challenger,
    "evaluation_report": _tables(EVALUATION_AUDIT),
    "champion_model": _champion,
    "known_embeddings": _tables(KNOWN_EMBEDDINGS),
    "reviewed_images": _tables(REVIEWED_IMAGES, REVIEW_CONSTRAINTS),
    "promoted_images": _tables(PROMOTED_IMAGES),
    "drop_rows": _tables(DROP_ROWS),
    "url_images": _tables(URL_IMAGES),
    "image_features": _tables(IMAGE_FEATURES),
    "batch_predictions": _tables(BATCH_PREDICTIONS),
    "prediction_exports": _exports,
    "unknown_embeddings": _tables(UNKNOWN_EMBEDDINGS, UNKNOWN_METADATA),
    "unknown_clusters": _tables(UNKNOWN_CLUSTERS),
    "cluster_folders": _cluster_folders,
    "unknown_map": _tables(UNKNOWN_MAP),
    "warehouse": _warehouse,
}
ASSETS = tuple(_READERS)
"""Every asset that a run makes, each after those it is made from."""
