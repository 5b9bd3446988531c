"""What is in the two folders that people put files into, as observations of the external assets."""

from __future__ import annotations

import dagster as dg

from meter_pipeline.core.drops import DropFile, listing, listing_version
from meter_pipeline.core.inventory import listing_digest
from meter_pipeline.core.layout import Layout

LABELLED_IMAGES = dg.AssetKey("labelled_images")
EXCEL_DROPS = dg.AssetKey("excel_drops")
DATA_VERSION_TAG = "dagster/data_version"


def observe_labelled(layout: Layout) -> dg.AssetObservation:
    """Observe the labelled photos: the listing's hash is the data version."""
    return dg.AssetObservation(
        LABELLED_IMAGES,
        metadata={"folder": dg.MetadataValue.path(layout.raw)},
        tags={DATA_VERSION_TAG: listing_digest(layout.raw)},
    )


def observe_drops(layout: Layout, whole: list[DropFile] | None = None) -> dg.AssetObservation:
    """Observe the drops, or those of them that are known to be whole."""
    files = listing(layout.drops) if whole is None else whole
    return dg.AssetObservation(
        EXCEL_DROPS,
        metadata={"folder": dg.MetadataValue.path(layout.drops), "files": len(files)},
        tags={DATA_VERSION_TAG: listing_version(files)},
    )
