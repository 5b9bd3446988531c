"""The clusters of UNKNOWN photos as a review page needs them: in memory, by photo and by group."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd

from meter_pipeline.labels import HARDLY_METERS
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import CLUSTER_SUMMARY, UNKNOWN_CLUSTERS, UNKNOWN_METADATA

CLUSTERED = (UNKNOWN_CLUSTERS.name, CLUSTER_SUMMARY.name, UNKNOWN_METADATA.name)
"""The tables that are read here; for caches."""


@dataclass(frozen=True)
class Clusters:
    """The clusters as one reading of the tables found them.

    Attributes:
        members: photos by cluster, the surest first.
        meter: by photo what it shares with the others of its physical meter.
        guesses: by photo its top 3, class and confidence in turn.
        sureness: by cluster, 0 to 1; None where it is not known.
        meter_share: by cluster, 0 to 1; None where it is not known.
        revision: of the clusters; None if there are none.
    """

    members: dict[int, list[str]]
    meter: dict[str, str]
    guesses: dict[str, tuple[Any, ...]]
    sureness: dict[int, float | None]
    meter_share: dict[int, float | None]
    revision: int | None

    def top3(self, image_id: str) -> list[tuple[str, float]]:
        """Return what the model took a photo for, the likeliest first."""
        guesses = self.guesses.get(image_id, ())
        pairs = zip(guesses[::2], guesses[1::2], strict=True)
        return [(label, round(float(share), 4)) for label, share in pairs if isinstance(label, str)]

    def hardly_meters(self, cluster_id: int) -> bool:
        """Return whether a cluster probably shows something other than meters."""
        share = self.meter_share.get(cluster_id)
        return share is not None and share < HARDLY_METERS


def read_clusters(layout: Layout) -> Clusters:
    """Read the clusters that there are now."""
    # Columns as lists: rows of a frame one by one take ten times as long.
    names = ["image_id", "cluster_id", "same_meter", "membership", "revision"]
    rows = layout.lake.read(UNKNOWN_CLUSTERS, names).sort_by([("membership", "descending"), ("image_id", "ascending")])
    image_ids, cluster_ids, same_meter, _, revisions = (rows[name].to_pylist() for name in names)
    members: dict[int, list[str]] = defaultdict(list)
    for image_id, cluster_id in zip(image_ids, cluster_ids, strict=True):
        members[cluster_id].append(image_id)
    columns = [f"top{place}_{what}" for place in (1, 2, 3) for what in ("class", "confidence")]
    guesses = layout.lake.read(UNKNOWN_METADATA, ["image_id", *columns])
    summary = layout.lake.frame(CLUSTER_SUMMARY, ["cluster_id", "sureness", "meter_share"])
    numbers = [int(number) for number in summary["cluster_id"]]
    return Clusters(
        members=dict(members),
        meter={image_id: meter or image_id for image_id, meter in zip(image_ids, same_meter, strict=True)},
        guesses=dict(
            zip(
                guesses["image_id"].to_pylist(),
                zip(*(guesses[name].to_pylist() for name in columns), strict=True),
                strict=True,
            )
        ),
        sureness=dict(zip(numbers, map(_number, summary["sureness"]), strict=True)),
        meter_share=dict(zip(numbers, map(_number, summary["meter_share"]), strict=True)),
        revision=max((each for each in revisions if each is not None), default=None),
    )


def _number(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
