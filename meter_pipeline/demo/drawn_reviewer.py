"""A reviewer who knows what was drawn: names, cleans and junks the clusters of UNKNOWN photos as a person would.

He sees what a person sees, one cluster after the other, and writes decisions of the same kind; what follows from them
is the pipeline's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from meter_pipeline.demo.scorecard import clusters_with_truth
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.review.deciding import decide
from meter_pipeline.storage.layout import Layout

REVIEWER = "drawn truth"
"""Who decided, as the decisions say."""
CANNOT_BE_READ = frozenset({"dark", "blurred"})
"""Kinds of photos that nobody can name."""


@dataclass(frozen=True)
class Reviewed:
    """What the reviewer did.

    Attributes:
        decisions: decisions written.
        named: photos named.
        junk: photos called junk.
        classes: the classes named, sorted.
    """

    decisions: int
    named: int
    junk: int
    classes: tuple[str, ...]


def review_clusters(layout: Layout, truth_csv: Path) -> Reviewed:
    """Decide on every cluster: strangers are excluded, the rest is named as it was drawn, or is junk.

    Args:
        layout: the data directory; its UNKNOWN photos are clustered.
        truth_csv: what was drawn (`SampleData.truth`).
    """
    clustered = clusters_with_truth(layout, truth_csv)
    clustered["is"] = clustered["is"].where(~clustered["kind"].isin(CANNOT_BE_READ), "cannot be read")
    decisions, named, junk = 0, 0, 0
    classes: set[str] = set()
    for cluster_id, members in clustered[clustered["cluster_id"] != NOISE].groupby("cluster_id", sort=True):
        design = members["is"].value_counts().index[0]
        own, strangers = members[members["is"] == design], members[members["is"] != design]
        if design == "cannot be read":
            continue
        if len(strangers):
            _say(layout, Action.EXCLUDE, strangers, cluster_id, target=tuple(own["image_id"]))
            decisions += 1
        if design == "junk":
            _say(layout, Action.JUNK, own, cluster_id)
            junk += len(own)
        else:
            _say(layout, Action.NAME, own, cluster_id, target=str(design))
            named, classes = named + len(own), classes | {str(design)}
        decisions += 1
    return Reviewed(decisions, named, junk, tuple(sorted(classes)))


def _say(
    layout: Layout,
    action: Action,
    photos: pd.DataFrame,
    cluster_id: object,
    target: str | tuple[str, ...] | None = None,
) -> None:
    decide(
        layout,
        action,
        tuple(photos["image_id"]),
        by=REVIEWER,
        target=target,
        source="demo",
        cluster_id=int(cluster_id),  # type: ignore[call-overload]
    )
