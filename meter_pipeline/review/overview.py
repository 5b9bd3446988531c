"""What waits for a person: undecided clusters, disputed photos, classes that are too small; as it is this second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow.compute as pc

from meter_pipeline.labels import NOISE, Action, FinalLabel
from meter_pipeline.review.promoted_images import WaitingClass, waiting_classes
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State, Word
from meter_pipeline.storage.layout import Layout, cluster_folder_name
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    CLUSTER_SUMMARY,
    PROMOTED_IMAGES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_METADATA,
)


@dataclass(frozen=True)
class OpenCluster:
    """A cluster with photos that nobody has decided on.

    Attributes:
        cluster_id: its number; -1 is noise.
        photos: undecided photos in it.
        meters: different physical meters among them, as far as near-duplicates tell.
        sureness: chance that nine in ten of the whole cluster show one design, 0 to 1; None for noise.
        top1_class: most frequent first guess of the undecided photos; None where no model saw them.
        folder: its folder below the data directory, with forward slashes.
    """

    cluster_id: int
    photos: int
    meters: int
    sureness: float | None
    top1_class: str | None
    folder: str


@dataclass(frozen=True)
class DisputedPhoto:
    """A photo that people named differently without knowing of each other.

    Attributes:
        image_id: the photo.
        label: its last name.
        by: who gave it.
        other_labels: what others named it.
    """

    image_id: str
    label: str | None
    by: str
    other_labels: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """What waits for a person, and how far people have come.

    Attributes:
        clusters: the surest and largest first, noise last.
        disputed: photos to be settled.
        waiting: classes that are named, but too small to be learned; as of the last promotion.
        named: photos that are named.
        junk: photos that are junk.
        undecided: photos in the clusters and in noise that nobody has decided on.
        not_clustered: UNKNOWN photos that nobody has decided on and that are in no clustering yet.
        problems: decisions that could not be read or applied, a sentence each.
    """

    clusters: tuple[OpenCluster, ...]
    disputed: tuple[DisputedPhoto, ...]
    waiting: tuple[WaitingClass, ...]
    named: int
    junk: int
    undecided: int
    not_clustered: int
    problems: tuple[str, ...]


def look_at_review(layout: Layout) -> Overview:
    """Return what waits for a person, by the decision files as they are now."""
    state = current_state(layout)
    clustered = layout.lake.frame(UNKNOWN_CLUSTERS, ["image_id", "cluster_id", "same_meter"])
    undecided = clustered[~clustered["image_id"].isin(decided_ids(state))]
    words = state.words.values()
    return Overview(
        clusters=tuple(_open_clusters(layout, undecided)),
        disputed=tuple(_disputed(state.words)),
        waiting=tuple(waiting_classes(layout.lake.frame(PROMOTED_IMAGES))),
        named=sum(word.decision.action == Action.NAME for word in words),
        junk=sum(word.decision.action == Action.JUNK for word in words),
        undecided=len(undecided),
        not_clustered=len(unknown_ids(layout) - set(clustered["image_id"]) - decided_ids(state)),
        problems=state.problems,
    )


def decided_ids(state: State) -> frozenset[str]:
    """Return the photos that a person named or called junk."""
    return frozenset(image_id for image_id, word in state.words.items() if word.decided)


def unknown_ids(layout: Layout) -> set[str]:
    """Return the photos that the model in use says UNKNOWN of, decided or not."""
    is_unknown = pc.field("final_prediction") == FinalLabel.UNKNOWN.value
    return set(
        layout.lake.read(BATCH_PREDICTIONS, ["image_id", "final_prediction"], where=is_unknown)["image_id"].to_pylist()
    )


def _open_clusters(layout: Layout, undecided: pd.DataFrame) -> list[OpenCluster]:
    guesses = layout.lake.frame(UNKNOWN_METADATA, ["image_id", "top1_class"])
    summary = layout.lake.frame(CLUSTER_SUMMARY, ["cluster_id", "sureness"])
    sureness = dict(zip(summary["cluster_id"], summary["sureness"], strict=True))
    rows = undecided.merge(guesses, on="image_id", how="left")
    found = [
        _open_cluster(int(members["cluster_id"].iloc[0]), members, sureness)
        for _, members in rows.groupby("cluster_id")
    ]
    return sorted(found, key=_urgency)


def _open_cluster(cluster_id: int, members: pd.DataFrame, sureness: Mapping[int, float]) -> OpenCluster:
    sure = sureness.get(cluster_id)
    guesses = members["top1_class"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return OpenCluster(
        cluster_id=cluster_id,
        photos=len(members),
        # A photo without a group shows a meter of its own.
        meters=int(members["same_meter"].fillna(members["image_id"]).nunique()),
        sureness=None if sure is None or pd.isna(sure) else float(sure),
        top1_class=str(guesses.index[0]) if len(guesses) else None,
        folder=f"clusters/{cluster_folder_name(cluster_id)}",
    )


def _urgency(cluster: OpenCluster) -> tuple[bool, int, int, int]:
    """Order by sureness in whole percent, as it is shown, then by size; noise last."""
    sure = -1 if cluster.sureness is None else round(100 * cluster.sureness)
    return cluster.cluster_id == NOISE, -sure, -cluster.photos, cluster.cluster_id


def _disputed(words: Mapping[str, Word]) -> list[DisputedPhoto]:
    return [
        DisputedPhoto(image_id, word.label, word.decision.by, tuple(word.disputed_labels))
        for image_id, word in sorted(words.items())
        if word.disputed
    ]
