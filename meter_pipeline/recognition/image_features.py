"""Features in the lake, one row per photo and model: computed once, and kept as they come in case of a kill."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.photos.photo_files import DAMAGED, passes
from meter_pipeline.photos.progress import Progress
from meter_pipeline.photos.store import set_damaged_aside
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.settings import ServingSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column, vectors
from meter_pipeline.storage.tables import IMAGE_FEATURES, LABELLED_FEATURES, URL_IMAGES, TableSpec

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger(__name__)


def update_features(
    lake: Lake,
    spec: TableSpec,
    model: MeterModel,
    photos: Iterable[tuple[str, Path]],
    *,
    plates: Path | None = None,
    on_damaged: Callable[[str], None] | None = None,
) -> int:
    """Compute the features that are missing, and return the number of photos they were missing for.

    A photo whose file was lost from the store, damaged or unreadable is tried again each time; so is one that got only
    the view of the whole, where the model gives every photo all views now.

    Args:
        lake: the tables.
        spec: a table with the columns of `IMAGE_FEATURES`.
        model: the model.
        photos: image_id and file of each photo, no two alike; may come slowly, and not be known beforehand.
        plates: folder where what is read on plates is kept; None: it is not kept.
        on_damaged: called with each photo whose file in the store was found damaged now.
    """
    rows = lake.read(spec, ["image_id", "reason", "views"], where=pc.field("model_version") == model.version)
    reasons = dict(zip(rows["image_id"].to_pylist(), rows["reason"].to_pylist(), strict=True))
    have = {image_id for image_id, reason in reasons.items() if not passes(reason)}
    have -= _looked_at_too_briefly(rows, model)
    wanted = ((image_id, path) for image_id, path in photos if image_id not in have)
    missing = list(wanted) if isinstance(photos, Sized) else wanted
    total, computed, looks = len(missing) if isinstance(missing, list) else None, 0, 0
    progress = Progress(total, lambda words: _logger.info("Through the network: %s", words), of="photos")
    for batch in extract_features(model, missing, plates=plates):
        new = _as_rows(spec, model, batch)
        again = pa.array([image_id in reasons for image_id in new["image_id"].to_pylist()], pa.bool_())
        lake.append(spec, new.filter(pc.invert(again)))
        # What failed again in the same way stands there already, and `upsert` writes the whole table.
        lake.upsert(spec, new.filter(pc.and_(again, _is_news(new, reasons))))
        for image_id in [image_id for image_id, reason in batch.failures.items() if reason == DAMAGED]:
            if on_damaged is not None:
                on_damaged(image_id)
        computed, looks = computed + new.num_rows, looks + int(batch.views.sum())
        progress.advance(new.num_rows)
    if computed:
        _logger.info("%d photos through the network by %s, in %d views", computed, model.engine.name, looks)
    return computed


def _looked_at_too_briefly(rows: pa.Table, model: MeterModel) -> set[str]:
    """Return the photos that got fewer views than the model gives now; those of older tables got all of them."""
    if model.early_exit is not None:
        return set()
    return set(rows.filter(pc.less(rows["views"], len(model.preprocess.views)))["image_id"].to_pylist())


def compute_features(layout: Layout, serving: ServingSettings | None = None) -> int:
    """Put every downloaded photo through the champion, once; return how many were new.

    Args:
        layout: the data directory.
        serving: how the model answers; None: as the environment says.

    Raises:
        NoChampionError: no model is in use yet.
    """
    model = load_model(layout, serving=serving)
    photos = [(image_id, layout.image(image_id)) for image_id in downloaded_photos(layout)]
    return update_features(
        layout.lake,
        IMAGE_FEATURES,
        model,
        photos,
        plates=layout.plates,
        on_damaged=lambda image_id: set_damaged_aside(layout, image_id),
    )


def forget_features(lake: Lake, model_version: str) -> None:
    """Remove all features of a version that is trained again: they are those of weights that are lost.

    Raises:
        DamagedTableError: a table of features is damaged.
    """
    for spec in (IMAGE_FEATURES, LABELLED_FEATURES):
        if model_version in pc.unique(lake.read(spec, ["model_version"])["model_version"]).to_pylist():
            lake.replace(spec, lake.read(spec, where=pc.field("model_version") != model_version))


def update_labelled_features(layout: Layout, model: MeterModel, photos: pd.DataFrame) -> int:
    """Compute the features that are missing of labelled photos, and return the number of these photos.

    Args:
        layout: the data directory.
        model: the model.
        photos: rows of `dataset_split`.
    """
    files = [(image_id, layout.raw / path) for image_id, path in zip(photos["image_id"], photos["path"], strict=True)]
    return update_features(layout.lake, LABELLED_FEATURES, model, files, plates=layout.plates)


def downloaded_photos(layout: Layout) -> list[str]:
    """Return the photos that the drops' URLs led to, each once, sorted."""
    return sorted(set(layout.lake.read(URL_IMAGES, ["image_id"])["image_id"].drop_null().to_pylist()))


def features_of(lake: Lake, spec: TableSpec, model_version: str, image_ids: Sequence[str]) -> Features:
    """Read the features of photos under a model, in the order of `image_ids`; photos without a row are left out.

    Args:
        lake: the tables.
        spec: a table with the columns of `IMAGE_FEATURES`, or of `LABELLED_FEATURES`.
        model_version: the model.
        image_ids: the photos.
    """
    asked_for = (pc.field("model_version") == model_version) & pc.field("image_id").isin(list(image_ids))
    table = lake.read(spec, where=asked_for)
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"].to_pylist())}
    wanted = [image_id for image_id in image_ids if image_id in row_of]
    table = table.take(pa.array([row_of[image_id] for image_id in wanted], pa.int64()))
    failed = table.filter(pc.is_valid(table["reason"]))
    good = table.filter(pc.is_null(table["reason"]))
    return Features(
        image_ids=good["image_id"].to_pylist(),
        logits=vectors(good, "logits"),
        embeddings=Embeddings(
            tuned=vectors(good, "embedding"),
            pretrained=vectors(good, "pretrained_embedding"),
            colours=vectors(good, "colours"),
            printed=printed_codes(good),
        ),
        views=pc.fill_null(good["views"], 0).to_numpy(),
        failures=dict(zip(failed["image_id"].to_pylist(), failed["reason"].to_pylist(), strict=True)),
    )


def _is_news(rows: pa.Table, before: dict[str, str | None]) -> pa.Array:
    """Return which rows say something else than the reasons of before, as a mask."""
    entries = zip(rows["image_id"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    return pa.array([reason is None or reason != before.get(image_id) for image_id, reason in entries], pa.bool_())


def printed_codes(table: pa.Table) -> np.ndarray:
    """Return what was read on the plates of photos under one model, photos x codes, int32.

    Args:
        table: rows with the column `printed`; if a row has none, plates were not read, and nothing is returned of any.
    """
    if table["printed"].null_count or not len(table):
        return nothing_read(len(table))
    return vectors(table, "printed").astype(np.int32)


def _as_rows(spec: TableSpec, model: MeterModel, batch: Features) -> pa.Table:
    failed = list(batch.failures.items())
    ids = [*batch.image_ids, *(image_id for image_id, _ in failed)]
    reasons = [None] * len(batch.image_ids) + [reason for _, reason in failed]

    def padded(matrix: np.ndarray) -> pa.Array:
        column = vector_column(matrix) if len(batch.image_ids) else pa.array([], pa.list_(pa.float32()))
        return pa.concat_arrays([column, pa.nulls(len(failed), pa.list_(pa.float32()))])

    nothing = pa.nulls(len(ids), pa.list_(pa.float32()))
    columns = {
        "image_id": pa.array(ids, pa.string()),
        "model_version": pa.array([model.version] * len(ids), pa.string()),
        "preprocess_id": pa.array([model.preprocess_id] * len(ids), pa.string()),
        "logits": padded(batch.logits),
        "embedding": padded(batch.embeddings.tuned),
        "pretrained_embedding": padded(batch.embeddings.pretrained),
        "colours": padded(batch.embeddings.colours),
        "printed": padded(batch.embeddings.printed) if model.reads_plates else nothing,
        "views": pa.array([*batch.views.tolist(), *[None] * len(failed)], pa.int64()),
        "reason": pa.array(reasons, pa.string()),
    }
    return pa.table({name: columns[name] for name in spec.columns}, schema=spec.schema)
