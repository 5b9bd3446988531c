"""Which tables have rows of a photo, by its id."""

from __future__ import annotations

from meter_pipeline.storage.tables import (
    DATASET_SPLIT,
    EVALUATION_AUDIT,
    IMAGE_FEATURES,
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
    LABELLED_FEATURES,
    PROMOTED_IMAGES,
    REVIEW_CONSTRAINTS,
    REVIEWED_IMAGES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_LOOKS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
)

OF_PHOTOS = (
    IMAGE_FEATURES,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_LOOKS,
    UNKNOWN_MAP,
    UNKNOWN_METADATA,
    UNKNOWN_CLUSTERS,
)
"""Tables with rows of photos from drops."""
OF_LABELLED_PHOTOS = (
    REVIEWED_IMAGES,
    REVIEW_CONSTRAINTS,
    PROMOTED_IMAGES,
    LABELLED_FEATURES,
    KNOWN_EMBEDDINGS,
    EVALUATION_AUDIT,
    DATASET_SPLIT,
    IMAGE_INVENTORY,
)
"""Tables with rows of labelled photos; those of a photo that a person put into data/raw as well stay."""
