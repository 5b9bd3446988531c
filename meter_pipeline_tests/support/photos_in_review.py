"""Tables and photos as `meter update` leaves them: UNKNOWN photos of some designs, one cluster for each, and noise."""

from __future__ import annotations

from meter_pipeline.labels import NOISE
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    CLUSTER_SUMMARY,
    UNKNOWN_CLUSTERS,
    UNKNOWN_METADATA,
    URL_IMAGES,
)
from meter_pipeline_tests.support.two_drops import frame
from meter_pipeline_tests.support.unknown_photos import put_unknown

NOISE_DESIGN = "STRAY"
DESIGNS = {"RED": 4, "BLUE": 3, NOISE_DESIGN: 2}
SURENESS = (0.62, 0.91)
KEY = "?signature=secret"
"""Query string of every URL: a key to the photos, which is not to be printed."""


def put_in_review(layout: Layout) -> dict[str, list[str]]:
    """Write the photos and tables; RED is cluster 0, BLUE cluster 1, STRAY noise. Return the image ids by design.

    The photos' URLs are `http://photos.example/<design>/<number>.jpg`, with `KEY`; the first two RED ones show one
    meter.
    """
    ids = put_unknown(layout, DESIGNS)
    lake = layout.lake
    metadata = lake.frame(UNKNOWN_METADATA)
    metadata["image_url"] += KEY
    lake.replace(UNKNOWN_METADATA, metadata)
    lake.replace(URL_IMAGES, frame(URL_IMAGES, metadata.assign(outcome="ok").to_dict("records")))
    rows = metadata.assign(drop="june", position=range(len(metadata)), sheet="S", rule="threshold")
    rows["row_number"] = rows["position"] + 2
    lake.replace(BATCH_PREDICTIONS, frame(BATCH_PREDICTIONS, rows.to_dict("records")))
    clustered = [
        {
            "image_id": image_id,
            "cluster_id": cluster_id,
            "membership": 0.9 - 0.1 * place,
            "same_meter": "m0" if design == "RED" and place < 2 else f"{design}{place}",
            "revision": 3,
        }
        for cluster_id, design in ((0, "RED"), (1, "BLUE"), (NOISE, NOISE_DESIGN))
        for place, image_id in enumerate(ids[design])
    ]
    lake.replace(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, clustered))
    sureness = {0: SURENESS[0], 1: SURENESS[1], NOISE: None}
    summary = [
        {"cluster_id": number, "count": len(ids[design]), "meters": len(ids[design]), "sureness": sureness[number]}
        for number, design in ((0, "RED"), (1, "BLUE"), (NOISE, NOISE_DESIGN))
    ]
    lake.replace(CLUSTER_SUMMARY, frame(CLUSTER_SUMMARY, summary))
    return ids
