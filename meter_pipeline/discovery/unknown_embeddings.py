"""The embeddings of the UNKNOWN photos, and apart from them what is known of each photo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.labels import FinalLabel
from meter_pipeline.recognition.image_features import features_of
from meter_pipeline.storage.lake import vector_column
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    IMAGE_FEATURES,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
)

MOST_WITH_VIEWS = 40_000
"""UNKNOWN photos up to which their single views are kept for the clusters; of more they would fill the memory."""


def collect_unknown(layout: Layout) -> int:
    """Write embeddings and metadata of the photos that are UNKNOWN, each once; return how many."""
    lake = layout.lake
    rows = lake.frame(BATCH_PREDICTIONS, where=pc.field("final_prediction") == FinalLabel.UNKNOWN)
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
