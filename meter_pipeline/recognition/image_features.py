"""Features in the lake: a row a photo and model, computed once, kept as they come, so that a kill loses a moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.photos.progress import Progress
from meter_pipeline.recognition.colours import COLOURS
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.storage.lake import Lake, vector_column, vectors
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES, LABELLED_FEATURES, URL_IMAGES, VIEW_COLUMNS, TableSpec

_logger = logging.getLogger(__name__)


def update_features(
    lake: Lake,
    spec: TableSpec,
    model: MeterModel,
    photos: Sequence[tuple[str, Path]],
    *,
    plates: Path | None = None,
) -> int:
    """Compute the features that are not there yet and return how many photos that were.

    Args:
        lake: the tables.
        spec: a table with the columns of `IMAGE_FEATURES`.
        model: the model.
        photos: image_id and file of each photo.
        plates: folder where what is read on plates is kept; None: nowhere.
    """
    have = set(lake.read(spec, ["image_id"], where=pc.field("model_version") == model.version)["image_id"].to_pylist())
    missing = [(image_id, path) for image_id, path in photos if image_id not in have]
    progress = Progress(
        len(missing), lambda done, total: _logger.info("%d of %d photos through the network", done, total)
    )
    with one_thread_each():
        for batch in extract_features(model, missing, plates=plates):
            lake.append(spec, _as_rows(spec, model, batch))
            progress.advance(len(batch.image_ids) + len(batch.failures))
    return len(missing)


def compute_features(layout: Layout) -> int:
    """Put every downloaded photo through the champion, once; return how many that were now.

    Raises:
        NoChampionError: no model is in use yet.
    """
    model = load_model(layout)
    photos = [(image_id, layout.image(image_id)) for image_id in downloaded_photos(layout)]
    return update_features(layout.lake, IMAGE_FEATURES, model, photos, plates=layout.plates)


def update_labelled_features(layout: Layout, model: MeterModel, photos: pd.DataFrame) -> int:
    """Compute the features of labelled photos that are not there yet, and return how many photos that were.

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


def features_of(
    lake: Lake, spec: TableSpec, model_version: str, image_ids: Sequence[str], *, views: bool = False
) -> Features:
    """Read the features of photos under a model, in the order asked for; photos without a row are left out.

    Args:
        lake: the tables.
        spec: a table with the columns of `IMAGE_FEATURES`, or of `LABELLED_FEATURES`.
        model_version: the model.
        image_ids: the photos.
        views: whether `whole_embedding` and `close_embedding` are wanted; they are photos x 0 else.

    Returns:
        The features; zeros in rows for which a feature was not kept.
    """
    columns = [name for name in spec.columns if views or name not in VIEW_COLUMNS]
    asked_for = (pc.field("model_version") == model_version) & pc.field("image_id").isin(list(image_ids))
    table = lake.read(spec, columns, where=asked_for)
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"].to_pylist())}
    wanted = [image_id for image_id in image_ids if image_id in row_of]
    table = table.take(pa.array([row_of[image_id] for image_id in wanted], pa.int64()))
    failed = table.filter(pc.is_valid(table["reason"]))
    good = table.filter(pc.is_null(table["reason"]))
    embedding = vectors(good, "embedding")
    whole, close = (
        _with_default(good, name, np.zeros_like(embedding)) if views else np.zeros((len(good), 0), np.float32)
        for name in VIEW_COLUMNS
    )
    return Features(
        image_ids=good["image_id"].to_pylist(),
        logits=vectors(good, "logits"),
        embedding=embedding,
        pretrained_embedding=vectors(good, "pretrained_embedding"),
        whole_embedding=whole,
        close_embedding=close,
        colours=_with_default(good, "colours", np.zeros((len(good), COLOURS), np.float32)),
        printed=_with_default(good, "printed", nothing_read(len(good))),
        failures=dict(zip(failed["image_id"].to_pylist(), failed["reason"].to_pylist(), strict=True)),
    )


def _with_default(table: pa.Table, column: str, values: np.ndarray) -> np.ndarray:
    """Return a column of vectors; `values` in rows without, whose models do not look at it."""
    kept = pc.is_valid(table[column])
    if pc.any(kept).as_py():
        values[kept.to_numpy()] = vectors(table.filter(kept), column)
    return values


def _as_rows(spec: TableSpec, model: MeterModel, batch: Features) -> pa.Table:
    failed = list(batch.failures.items())
    ids = [*batch.image_ids, *(image_id for image_id, _ in failed)]
    reasons = [None] * len(batch.image_ids) + [reason for _, reason in failed]

    def padded(matrix: np.ndarray) -> pa.Array:
        column = vector_column(matrix) if len(batch.image_ids) else pa.array([], pa.list_(pa.float32()))
        return pa.concat_arrays([column, pa.nulls(len(failed), pa.list_(pa.float32()))])

    nothing = pa.nulls(len(ids), pa.list_(pa.float32()))
    # Of models from before meters were located it was not measured what their single views tell.
    single_views = bool(model.preprocess.located_views)
    columns = {
        "image_id": pa.array(ids, pa.string()),
        "model_version": pa.array([model.version] * len(ids), pa.string()),
        "preprocess_id": pa.array([model.preprocess_id] * len(ids), pa.string()),
        "logits": padded(batch.logits),
        "embedding": padded(batch.embedding),
        "pretrained_embedding": padded(batch.pretrained_embedding),
        "whole_embedding": padded(batch.whole_embedding) if single_views else nothing,
        "close_embedding": padded(batch.close_embedding) if single_views else nothing,
        "colours": padded(batch.colours),
        "printed": padded(batch.printed) if model.reads_plates else nothing,
        "reason": pa.array(reasons, pa.string()),
    }
    return pa.table({name: columns[name] for name in spec.columns}, schema=spec.schema)
