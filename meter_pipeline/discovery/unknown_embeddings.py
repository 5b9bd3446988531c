"""The embeddings and the print of the UNKNOWN photos, and in a table of its own what is known of each photo."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.labels import DECIDING_ACTIONS, FinalLabel
from meter_pipeline.recognition.image_features import features_of
from meter_pipeline.recognition.plate_reading import NOTHING, nothing_read, plates_can_be_read, read_plates
from meter_pipeline.settings import UnknownPrintSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    IMAGE_FEATURES,
    REVIEWED_IMAGES,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What was written.

    Attributes:
        photos: number of UNKNOWN photos that nobody decided on.
        decided: number of UNKNOWN photos that are left out, as a person named them or called them junk.
        with_print: number of those on whose plate something was read.
    """

    photos: int
    decided: int
    with_print: int


def collect_unknown(layout: Layout, settings: UnknownPrintSettings) -> Collected:
    """Write embeddings, print and metadata of the UNKNOWN photos that nobody decided on, each once.

    Raises:
        MeterError: plates are to be read, and the reader is installed but does not start.
    """
    lake = layout.lake
    rows = lake.frame(BATCH_PREDICTIONS, where=pc.field("final_prediction") == FinalLabel.UNKNOWN)
    unknown = rows.sort_values(["drop", "position"]).drop_duplicates("image_id").sort_values("image_id")
    reviewed = lake.frame(REVIEWED_IMAGES, ["image_id"], where=pc.field("action").isin([*DECIDING_ACTIONS]))
    photos = unknown[~unknown["image_id"].isin(reviewed["image_id"])]
    lake.replace(UNKNOWN_METADATA, photos[list(UNKNOWN_METADATA.columns)])
    versions = photos["model_version"].unique()
    parts = [_of_model(layout, version, photos, settings) for version in versions]
    table = pa.concat_tables([UNKNOWN_EMBEDDINGS.schema.empty_table(), *parts])
    lake.replace(UNKNOWN_EMBEDDINGS, table)
    return Collected(
        photos=len(photos), decided=len(unknown) - len(photos), with_print=len(table) - table["print_hash"].null_count
    )


def _of_model(layout: Layout, version: str, photos: pd.DataFrame, settings: UnknownPrintSettings) -> pa.Table:
    wanted = photos.loc[photos["model_version"] == version, "image_id"].tolist()
    features = features_of(layout.lake, IMAGE_FEATURES, version, wanted)
    printed = features.embeddings.printed
    if (printed == NOTHING).all():  # the model's guard does not read plates
        printed = _printed(layout, features.image_ids, settings)
    return pa.table(
        {
            "image_id": pa.array(features.image_ids, pa.string()),
            "model_version": pa.array([version] * len(features.image_ids), pa.string()),
            "embedding": vector_column(features.embeddings.tuned),
            "pretrained_embedding": vector_column(features.embeddings.pretrained),
            "printed": vector_column(printed),
            "print_hash": pa.array([_hash(codes) for codes in printed], pa.string()),
        },
        schema=UNKNOWN_EMBEDDINGS.schema,
    )


def _printed(layout: Layout, image_ids: Sequence[str], settings: UnknownPrintSettings) -> np.ndarray:
    """Return what is printed on the photos, photos x codes; nothing where it is not to be read or cannot be."""
    if settings.cluster_print == "off":
        return nothing_read(len(image_ids))
    if not plates_can_be_read():
        _logger.info(
            "Clusters go by the look of photos alone. With what is printed on them they are better: "
            "pip install 'meter-pipeline[plates]'"
        )
        return nothing_read(len(image_ids))
    return read_plates([(image_id, layout.image(image_id)) for image_id in image_ids], layout.plates)


def _hash(codes: np.ndarray) -> str | None:
    return None if (codes == NOTHING).all() else hashlib.sha256(codes.tobytes()).hexdigest()[:16]
