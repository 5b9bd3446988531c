"""What a clustering writes: photos and the tables that there are in, new tables out. No file is touched here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from meter_pipeline.discovery.continuity import keep_places, match_clusters
from meter_pipeline.discovery.given_constraints import GivenConstraints
from meter_pipeline.discovery.grouping.clustering import LEAST_MEMBERSHIP, Clustering, cluster
from meter_pipeline.discovery.grouping.sureness import sureness
from meter_pipeline.discovery.same_meter import LARGEST_COMPARED, same_meter_groups
from meter_pipeline.labels import NOISE, ClusterEvent
from meter_pipeline.storage.tables import CLUSTER_SUMMARY

_logger = logging.getLogger(__name__)

METHOD_VERSION = "6"
"""Raised by hand when the clustering gives different clusters for the same embeddings: the next run clusters anew."""


@dataclass(frozen=True)
class UnknownPhotos:
    """The UNKNOWN photos of one model, one row per photo, by image_id.

    Attributes:
        image_ids: the photos.
        model_version: the model; None if there are no photos.
        compared: what clusters are found in, photos x dimensions.
        hashes: perceptual hashes; None for a photo whose file is lost or damaged.
        look_like_meters: whether each looks like a meter; None if that cannot be told.
        with_print: whether anything was read on any of them, which is compared too.
        metadata: rows of `unknown_metadata`, in any order.
        constraints: what people said belongs together, and what does not.
        said_otherwise: of which of them people said something, when the stored tables were made, that they do not say
            any more; as far as that is known.
    """

    image_ids: list[str]
    model_version: str | None
    compared: np.ndarray
    hashes: Sequence[str | None]
    look_like_meters: np.ndarray | None
    with_print: bool
    metadata: pd.DataFrame
    constraints: GivenConstraints
    said_otherwise: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Method:
    """How photos are clustered.

    Attributes:
        min_cluster_size: photos of the smallest cluster; None: two.
    """

    min_cluster_size: int | None

    def cluster(self, photos: UnknownPhotos, meters: np.ndarray | None, rows: np.ndarray | None = None) -> Clustering:
        """Cluster the photos, or some of them.

        Args:
            photos: the photos.
            meters: id of the meter on each of them; None: not known yet.
            rows: which of them; None: all.
        """
        chosen = slice(None) if rows is None else rows
        return cluster(
            photos.compared[chosen],
            meters=None if meters is None else meters[chosen],
            min_cluster_size=self.min_cluster_size,
        )

    def name(self, photos: UnknownPhotos) -> str:
        """Return `found_with` of the clusters of these photos: what is comparable has the same."""
        printed = " print" if photos.with_print else ""
        return f"{METHOD_VERSION} {photos.model_version} {self.min_cluster_size or 'auto'}{printed}"


@dataclass(frozen=True)
class Tables:
    """Clusters, and the events that changed them.

    Attributes:
        clusters: `unknown_clusters`, by image_id.
        events: `cluster_events`.
    """

    clusters: pd.DataFrame
    events: pd.DataFrame

    @property
    def revision(self) -> int:
        """The revision that the clusters hold; a later one in the events was not finished."""
        if len(self.clusters):
            return int(self.clusters["revision"].max())
        if self.events.empty:
            return 0
        last = self.events.sort_values("revision").drop_duplicates("cluster_id", keep="last")
        newest = int(self.events["revision"].max())
        # No photo has a cluster: finished if every cluster is gone by then; otherwise an end came before the clusters
        # were written.
        return newest if (last["event"] == ClusterEvent.GONE).all() else newest - 1

    def finished(self) -> Tables:
        """Return the same tables without the events of a revision that was not finished."""
        return replace(self, events=self.events[self.events["revision"] <= self.revision])


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
        tables: clusters and events.
        summary: `cluster_summary`.
        found: the clustering; None if the clusters stay as they are.
    """

    tables: Tables
    summary: pd.DataFrame
    found: Clustering | None


def plan_tables(photos: UnknownPhotos, stored: Tables, method: Method, *, anew: bool) -> Plan:
    """Return the tables that follow from these photos and from the tables that there are.

    Clusters of the same photos by the same method, to which people said the same, stay as they are. Where the set
    changed, photos keep their places as `continuity` says; what people said holds in any case.

    Args:
        photos: the UNKNOWN photos.
        stored: the tables that there are.
        method: how photos are clustered.
        anew: cluster as if no photo had a cluster yet; ids are kept by their members all the same.

    Raises:
        MeterError: an embedding holds NaN or is all zeros.
    """
    now, found = stored.finished(), None
    same_photos = now.clusters["image_id"].to_list() == photos.image_ids
    if anew or not photos.image_ids or not same_photos or not _stands(now, photos, method):
        _logger.info("Clustering %d UNKNOWN photos", len(photos.image_ids))
        places = None if anew or not _comparable(now, photos, method) else _places(now, photos)
        now, found = _clustered(photos, now, method, places)
    return Plan(now, _summarise(now.clusters, photos), found)


def _summarise(clusters: pd.DataFrame, photos: UnknownPhotos) -> pd.DataFrame:
    """Return the rows of `cluster_summary`: photos, meters, how surely one design, what the model guessed.

    Args:
        clusters: rows of `unknown_clusters`.
        photos: the photos, in the same order.
    """
    guesses = photos.metadata.set_index("image_id").reindex(clusters["image_id"])
    names, confidences = guesses["top1_class"].to_numpy(object), guesses["top1_confidence"].to_numpy(np.float64)
    image_ids, same_meter = clusters["image_id"].to_numpy(object), clusters["same_meter"].to_numpy(object)
    membership, meters = clusters["membership"].to_numpy(np.float64), photos.look_like_meters
    sure = sureness(photos.compared, clusters["cluster_id"].to_numpy(np.int64))
    members_of = cast("dict[int, np.ndarray]", clusters.groupby("cluster_id").indices)
    rows = []
    for cluster_id in sorted(members_of):
        members = members_of[cluster_id]
        name, named_so = _most_frequent(names[members])
        guessed = confidences[members][~np.isnan(confidences[members])]
        middlemost = None if cluster_id == NOISE else members[_middlemost(photos.compared[members])]
        rows.append(
            {
                "cluster_id": int(cluster_id),
                "count": len(members),
                "meters": len(set(same_meter[members])),
                "meter_share": None if meters is None else float(meters[members].mean()),
                "sureness": sure.get(int(cluster_id)),
                "mean_membership": float(membership[members].mean()),
                "top1_class": name,
                "top1_share": None if name is None else named_so / len(members),
                "mean_top1_confidence": float(guessed.mean()) if len(guessed) else None,
                "representative": None if middlemost is None else image_ids[middlemost],
            }
        )
    return pd.DataFrame(rows, columns=list(CLUSTER_SUMMARY.columns))


def _most_frequent(names: np.ndarray) -> tuple[str | None, int]:
    """Return the name that most have, the first by alphabet of equally frequent ones, and how many; None for none."""
    counts = Counter(name for name in names if isinstance(name, str))
    return min(counts.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))


def _middlemost(unit: np.ndarray) -> int:
    """Return the row nearest to the mean; not by BLAS, whose last bits depend on the number of threads."""
    return int(np.argmax(np.einsum("ij,j->i", unit, unit.mean(axis=0))))


def _stands(before: Tables, photos: UnknownPhotos, method: Method) -> bool:
    """Return whether clusters of the same photos are what this method, and what people said, make of them."""
    labels, flags = before.clusters["cluster_id"].to_numpy(np.int64), before.clusters["constrained"].eq(True)
    return (
        _comparable(before, photos, method)
        and photos.said_otherwise.isdisjoint(photos.image_ids)
        and bool((flags.to_numpy(bool) == photos.constraints.constrained).all())
        and bool((photos.constraints.hold(labels) == labels).all())
    )


def _comparable(before: Tables, photos: UnknownPhotos, method: Method) -> bool:
    return bool((before.clusters["found_with"] == method.name(photos)).all())


@dataclass(frozen=True)
class _Places:
    """Where photos were that are clustered again, and what of it is to last.

    Attributes:
        clusters: cluster of each photo, -1 for noise and for those that are placed as if they were new.
        settled: whether each is in it since it was formed.
    """

    clusters: np.ndarray
    settled: np.ndarray


def _places(before: Tables, photos: UnknownPhotos) -> _Places:
    """Return the photos' places; a photo that a person's word put there has none, unless that word counts still."""
    rows = before.clusters.set_index("image_id").reindex(photos.image_ids)
    clusters, said = rows["cluster_id"].fillna(NOISE).to_numpy(np.int64), photos.constraints
    counts = said.constrained & (said.hold(clusters) == clusters) & ~np.isin(photos.image_ids, [*photos.said_otherwise])
    free = rows["constrained"].eq(True).to_numpy(bool) & ~counts
    return _Places(np.where(free, NOISE, clusters), rows["settled"].eq(True).to_numpy(bool) & ~free)


def _clustered(
    photos: UnknownPhotos, before: Tables, method: Method, places: _Places | None
) -> tuple[Tables, Clustering]:
    """Cluster the photos; they keep the places that are given, and people's word holds in any case."""
    image_ids, revision = photos.image_ids, before.revision
    rows = before.clusters.set_index("image_id").reindex(image_ids)
    few = len(image_ids) <= LARGEST_COMPARED  # of more, the meters are only found within clusters
    meters = _meters(photos, np.zeros(len(image_ids)), rows) if few else None
    found = method.cluster(photos, None if meters is None else np.array(meters))
    labels, settled = found.labels, np.ones(len(image_ids), bool)
    if places is not None:
        labels, settled = keep_places(labels, places.clusters, places.settled)
    labels, constrained = photos.constraints.hold(labels), photos.constraints.constrained
    if constrained.any():
        _logger.info("%d photos are where people said they belong", int(constrained.sum()))
    matched = match_clusters(
        before.clusters[["image_id", "cluster_id"]],
        dict(zip(image_ids, labels.tolist(), strict=True)),
        next_id=int(before.events["cluster_id"].max()) + 1 if len(before.events) else 0,
    )
    if len(matched.events):
        revision += 1
        _logger.info("Changed clusters: %s", matched.events["event"].value_counts().sort_index().to_dict())
    cluster_ids = matched.clusters["cluster_id"].to_numpy()
    clusters = matched.clusters.assign(
        previous_cluster_id=rows["cluster_id"].astype("Int64").to_numpy(),
        membership=_membership(cluster_ids, found, rows["membership"].fillna(0.0).to_numpy(float)),
        same_meter=meters or _meters(photos, cluster_ids, rows),
        perceptual_hash=pd.Series(photos.hashes, dtype="str"),
        settled=settled,
        constrained=constrained,
        found_with=method.name(photos),
        revision=revision,
    )
    events = pd.concat([before.events, matched.events.assign(revision=revision)], ignore_index=True)
    return Tables(clusters, events), found


def _meters(photos: UnknownPhotos, labels: np.ndarray, before: pd.DataFrame) -> list[str]:
    """Id of the meter on each photo; photos that had one before keep it."""
    known = {str(image_id): meter for image_id, meter in before["same_meter"].dropna().items()}
    return same_meter_groups(photos.image_ids, photos.hashes, labels, known)


def _membership(cluster_ids: np.ndarray, found: Clustering, before: np.ndarray) -> np.ndarray:
    """A photo that the new clustering calls noise but that stays where it was is as sure of its place as it was."""
    known = np.where(found.labels == NOISE, before, found.membership)
    return np.where(cluster_ids == NOISE, 0.0, np.maximum(known, LEAST_MEMBERSHIP))
