"""The embeddings of the UNKNOWN photos, and in a table of its own what is known of each photo."""

from __future__ import annotations

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
"""Most UNKNOWN photos whose single views are kept for the clusters; those of more would fill the memory."""


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
    count = len(features.image_ids)
    no_view = pa.nulls(count, UNKNOWN_EMBEDDINGS.schema.field("whole_embedding").type)
    return pa.table(
        {
            "image_id": pa.array(features.image_ids, pa.string()),
            "model_version": pa.array([version] * count, pa.string()),
            "embedding": vector_column(features.embeddings.tuned),
            "pretrained_embedding": vector_column(features.embeddings.pretrained),
            "whole_embedding": vector_column(features.whole) if views else no_view,
            "close_embedding": vector_column(features.close) if views else no_view,
            "single_views": pa.array([views] * count, pa.bool_()),
        },
        schema=UNKNOWN_EMBEDDINGS.schema,
    )
