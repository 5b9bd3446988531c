"""The drops' photos through the champion: features, a decision a photo, a prediction a row, and what is UNKNOWN."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.batches.batch_predictions import predict_rows
from meter_pipeline.recognition.decision import UNKNOWN, decide
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.lake import vector_column
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    IMAGE_FEATURES,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
    URL_IMAGES,
)

MOST_WITH_VIEWS = 40_000
"""UNKNOWN photos up to which their single views are kept for the clusters; of more they would fill the memory."""


def compute_features(layout: Layout) -> int:
    """Put every downloaded photo through the champion, once; return how many that were now.

    Raises:
        NoChampionError: no model is in use yet.
    """
    model = load_model(layout)
    photos = [(image_id, layout.image(image_id)) for image_id in _downloaded(layout)]
    return update_features(layout.lake, IMAGE_FEATURES, model, photos, plates=layout.plates)


def name_rows(layout: Layout, rules: DecisionSettings) -> pd.DataFrame:
    """Decide on every photo from its stored features, write a prediction for every drop row, and return them."""
    lake, model = layout.lake, load_model(layout)
    url_images = lake.frame(URL_IMAGES)
    features = features_of(lake, IMAGE_FEATURES, model.version, _downloaded(layout))
    brightness = dict(zip(url_images["image_id"], url_images["brightness"], strict=True))
    decisions = decide(model, features, rules, brightness)
    predictions = predict_rows(
        lake.frame(DROP_ROWS), url_images, decisions, model_version=model.version, failures=features.failures
    )
    lake.replace(BATCH_PREDICTIONS, predictions)
    return predictions


def collect_unknown(layout: Layout) -> int:
    """Write embeddings and metadata of the photos that are UNKNOWN, each once; return how many."""
    lake = layout.lake
    rows = lake.frame(BATCH_PREDICTIONS, where=pc.field("final_prediction") == UNKNOWN)
    photos = rows.sort_values(["drop", "position"]).drop_duplicates("image_id").sort_values("image_id")
    lake.replace(UNKNOWN_METADATA, photos[list(UNKNOWN_METADATA.columns)])
    versions = photos["model_version"].unique()
    parts = [_embeddings(layout, version, photos) for version in versions]
    lake.replace(UNKNOWN_EMBEDDINGS, pa.concat_tables([UNKNOWN_EMBEDDINGS.schema.empty_table(), *parts]))
    return len(photos)


def _embeddings(layout: Layout, version: str, photos: pd.DataFrame) -> pa.Table:
    wanted = photos.loc[photos["model_version"] == version, "image_id"].tolist()
    views = len(photos) <= MOST_WITH_VIEWS
    features = features_of(layout.lake, IMAGE_FEATURES, version, wanted, views=views)
    kept = np.array(features.whole_embedding.any(axis=1) & features.close_embedding.any(axis=1))
    return pa.table(
        {
            "image_id": pa.array(features.image_ids, pa.string()),
            "model_version": pa.array([version] * len(features.image_ids), pa.string()),
            "embedding": vector_column(features.embedding),
            "pretrained_embedding": vector_column(features.pretrained_embedding),
            "whole_embedding": _vectors_or_null(features.whole_embedding, kept),
            "close_embedding": _vectors_or_null(features.close_embedding, kept),
            "single_views": pa.array(kept, pa.bool_()),
        },
        schema=UNKNOWN_EMBEDDINGS.schema,
    )


def _vectors_or_null(matrix: np.ndarray, kept: np.ndarray) -> pa.Array:
    """Return a column of float32 vectors, null where a row of the matrix was not kept."""
    values = pa.array(np.ascontiguousarray(matrix[kept], np.float32).ravel())
    offsets = np.concatenate([[0], np.cumsum(kept * matrix.shape[1])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~kept))


def _downloaded(layout: Layout) -> list[str]:
    """Return the photos that the drops' URLs led to, each once, sorted."""
    return sorted(set(layout.lake.read(URL_IMAGES, ["image_id"])["image_id"].drop_null().to_pylist()))
