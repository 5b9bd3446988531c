"""Features in the lake, one row per photo and model: computed once, and kept as they come in case of a kill."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.photos.photo_files import DAMAGED, passes
from meter_pipeline.photos.progress import Progress
from meter_pipeline.photos.store import set_damaged_aside
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column, vectors
from meter_pipeline.storage.tables import IMAGE_FEATURES, LABELLED_FEATURES, URL_IMAGES, TableSpec

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

    A photo whose file was lost from the store, damaged or unreadable is tried again each time.

    Args:
        lake: the tables.
        spec: a table with the columns of `IMAGE_FEATURES`.
        model: the model.
        photos: image_id and file of each photo, no two alike; may come slowly, and not be known beforehand.
        plates: folder where what is read on plates is kept; None: it is not kept.
        on_damaged: called with each photo whose file in the store was found damaged now.
    """
    rows = lake.read(spec, ["image_id", "reason"], where=pc.field("model_version") == model.version)
    reasons = dict(zip(rows["image_id"].to_pylist(), rows["reason"].to_pylist(), strict=True))
    have = {image_id for image_id, reason in reasons.items() if not passes(reason)}
    wanted = ((image_id, path) for image_id, path in photos if image_id not in have)
    missing = list(wanted) if isinstance(photos, Sized) else wanted
    total, computed = len(missing) if isinstance(missing, list) else None, 0
    progress = Progress(total, lambda words: _logger.info("Through the network: %s", words), of="photos")
    with one_thread_each():
        for batch in extract_features(model, missing, plates=plates):
            new = _as_rows(spec, model, batch)
            again = pa.array([image_id in reasons for image_id in new["image_id"].to_pylist()], pa.bool_())
            lake.append(spec, new.filter(pc.invert(again)))
            # What failed again in the same way stands there already, and `upsert` writes the whole table.
            lake.upsert(spec, new.filter(pc.and_(again, _is_news(new, reasons))))
            for image_id in [image_id for image_id, reason in batch.failures.items() if reason == DAMAGED]:
                if on_damaged is not None:
                    on_damaged(image_id)
            computed += new.num_rows
            progress.advance(new.num_rows)
    return computed


def compute_features(layout: Layout) -> int:
    """Put every downloaded photo through the champion, once; return how many were new.

    Raises:
        NoChampionError: no model is in use yet.
    """
    model = load_model(layout)
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
        failures=dict(zip(failed["image_id"].to_pylist(), failed["reason"].to_pylist(), strict=True)),
    )


def _is_news(rows: pa.Table, before: dict[str, str | None]) -> pa.Array:
    """Return which rows say something else than the reasons of before, as a mask."""
    entries = zip(rows["image_id"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    return pa.array([reason != before.get(image_id) for image_id, reason in entries], pa.bool_())


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
        "reason": pa.array(reasons, pa.string()),
    }
    return pa.table({name: columns[name] for name in spec.columns}, schema=spec.schema)
