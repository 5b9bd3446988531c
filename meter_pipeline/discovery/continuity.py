"""Clusters that stay as the set grows: photos keep their places, clusters their ids, and what changed is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from meter_pipeline.labels import NOISE, ClusterEvent

CONTINUES_FROM = 0.5
"""A new cluster continues an old one only if it has this share of what is left of the old one's photos, or if this
share of its own photos that were in any cluster comes from it: a handful of photos does not carry an id away."""
SETTLED_SHARE = 0.7
"""A group of the new clustering with a smaller share of settled photos is taken as it is; chosen in 0009."""


@dataclass(frozen=True)
class MatchedClusters:
    """Clusters under their stable ids.

    Attributes:
        clusters: image_id and cluster_id, one row per photo, by image_id.
        events: cluster_id, event (`ClusterEvent`), from_clusters (comma-separated ids) and count; one
            row per cluster whose photos are not the same as before. `kept` is an old cluster that won or lost photos;
            `merged` one that took in others; `split` a new one made from a part of others; `gone` has count 0.
        next_id: the first id never given out.
    """

    clusters: pd.DataFrame
    events: pd.DataFrame
    next_id: int


def keep_places(found: np.ndarray, previous: np.ndarray, settled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the clusters of a set that was clustered before, and which photos are settled in theirs.

    The whole set was clustered anew, and says which photos belong together. Where most photos of a new group are
    settled, they stay in the clusters they have, and the rest of the group joins the cluster that most of them are in:
    a photo does not change its cluster because 20 % more photos came. Where most of a group are not, it is a cluster of
    its own and its photos are settled in it: clusters of few photos are not kept for ever.

    Args:
        found: group of each photo in the new clustering, -1 for noise.
        previous: cluster of each photo before, -1 for noise and for photos that were not there.
        settled: whether each photo is in its cluster since it was formed, rather than joined to it later.

    Returns:
        The clusters (numbers of `previous` where they stay, otherwise new numbers, -1 for noise), and the new
        `settled`.
    """
    clusters = np.where(found == NOISE, previous, NOISE)
    settled = settled & (previous != NOISE)
    still_settled = settled.copy()
    next_number = max(int(previous.max(initial=NOISE)), NOISE) + 1
    for group in np.unique(found[found != NOISE]):
        members = np.flatnonzero(found == group)
        firm = members[settled[members]]
        if len(firm) < SETTLED_SHARE * len(members):
            clusters[members], still_settled[members] = next_number, True
            next_number += 1
            continue
        numbers, counts = np.unique(previous[firm], return_counts=True)
        clusters[members] = np.where(previous[members] == NOISE, numbers[counts.argmax()], previous[members])
    return _without_loners(clusters), still_settled


def match_clusters(previous: pd.DataFrame, labels: Mapping[str, int] | pd.Series, *, next_id: int) -> MatchedClusters:
    """Give the clusters of `labels` the ids of those in `previous` that they continue, and new ids to the rest.

    The assignment keeps the id of as many photos as possible (Kuhn 1955, by component of the overlap graph). It depends
    on the photos in each cluster only, not on order or on the numbers in `labels`.

    Args:
        previous: columns image_id and cluster_id, -1 for noise; empty for the first clustering.
        labels: image_id to cluster, -1 for noise.
        next_id: smallest id that may be given to a new cluster; larger than any id that was ever used.
    """
    old, new = _members(dict(zip(previous["image_id"], previous["cluster_id"], strict=True))), _members(labels)
    old_ids = sorted(old)
    new_keys = sorted(new, key=lambda key: (-len(new[key]), min(new[key])))
    next_id = max(next_id, max(old_ids, default=NOISE) + 1)
    overlap = _overlap([old[i] for i in old_ids], [new[key] for key in new_keys])
    continues = {new_keys[column]: old_ids[row] for row, column in _assignment(overlap)}
    ids: dict[int, int] = {}
    for key in new_keys:
        if key in continues:
            ids[key] = continues[key]
        else:
            ids[key], next_id = next_id, next_id + 1
    events = _events(old, {ids[key]: new[key] for key in new_keys})
    rows = sorted((image_id, ids.get(int(label), NOISE)) for image_id, label in labels.items())
    clusters = pd.DataFrame(rows, columns=["image_id", "cluster_id"]).astype({"image_id": "str", "cluster_id": "int64"})
    return MatchedClusters(clusters, events, next_id)


def _without_loners(clusters: np.ndarray) -> np.ndarray:
    """A photo that is left alone in its cluster, the others having gone, is noise."""
    numbers, counts = np.unique(clusters, return_counts=True)
    return np.where(np.isin(clusters, numbers[counts == 1]), NOISE, clusters)


def _members(labels: Mapping[str, int] | pd.Series) -> dict[int, set[str]]:
    members: dict[int, set[str]] = {}
    for image_id, label in labels.items():
        if label != NOISE:
            members.setdefault(int(label), set()).add(str(image_id))
    return members


def _overlap(old: list[set[str]], new: list[set[str]]) -> coo_matrix:
    """Photos in common, old clusters x new clusters; pairs that would not continue one another are left out."""
    cluster_of = {image_id: column for column, members in enumerate(new) for image_id in members}
    cells: dict[tuple[int, int], int] = {}
    for row, members in enumerate(old):
        for image_id in members:
            if image_id in cluster_of:
                cell = (row, cluster_of[image_id])
                cells[cell] = cells.get(cell, 0) + 1
    still_here, from_old = [0] * len(old), [0] * len(new)
    for (row, column), common in cells.items():
        still_here[row] += common
        from_old[column] += common
    kept = sorted(
        (row, column, common)
        for (row, column), common in cells.items()
        if common >= CONTINUES_FROM * still_here[row] or common >= CONTINUES_FROM * from_old[column]
    )
    rows, columns, common_counts = (
        np.array(part, np.int64) for part in (zip(*kept, strict=True) if kept else ((),) * 3)
    )
    return coo_matrix((common_counts, (rows, columns)), shape=(len(old), len(new)))


def _assignment(overlap: coo_matrix) -> list[tuple[int, int]]:
    """Pairs (old, new) with the most photos in common in total; solved for one connected component at a time."""
    old_count, new_count = overlap.shape
    if overlap.nnz == 0:
        return []
    edges = coo_matrix(
        (np.ones(overlap.nnz), (overlap.row, overlap.col + old_count)), shape=(old_count + new_count,) * 2
    )
    _, component = connected_components(edges, directed=False)
    by_component: dict[int, list[tuple[int, int, int]]] = {}
    for row, column, common in zip(overlap.row.tolist(), overlap.col.tolist(), overlap.data.tolist(), strict=True):
        by_component.setdefault(int(component[row]), []).append((row, column, common))
    pairs: list[tuple[int, int]] = []
    for cells in by_component.values():
        rows, columns = sorted({cell[0] for cell in cells}), sorted({cell[1] for cell in cells})
        weights = np.zeros((len(rows), len(columns)))
        for row, column, common in cells:
            weights[rows.index(row), columns.index(column)] = common
        chosen = zip(*linear_sum_assignment(weights, maximize=True), strict=True)
        pairs += [(rows[i], columns[j]) for i, j in chosen if weights[i, j] > 0]
    return sorted(pairs)


def _events(old: dict[int, set[str]], new: dict[int, set[str]]) -> pd.DataFrame:
    cluster_before = {image_id: cluster_id for cluster_id, members in old.items() for image_id in members}
    still_here: dict[int, int] = {}
    for members in new.values():
        for image_id in members:
            if image_id in cluster_before:
                still_here[cluster_before[image_id]] = still_here.get(cluster_before[image_id], 0) + 1
    rows: list[tuple[int, ClusterEvent, str, int]] = []
    for cluster_id in sorted(old.keys() | new.keys()):
        members = new.get(cluster_id, set())
        if members == old.get(cluster_id):
            continue
        parts: dict[int, int] = {}
        for image_id in members:
            source = cluster_before.get(image_id, cluster_id)
            if source != cluster_id:
                parts[source] = parts.get(source, 0) + 1
        if cluster_id not in old:
            clustered_before = sum(parts.values())
            sources = [s for s in sorted(parts) if parts[s] >= CONTINUES_FROM * min(clustered_before, still_here[s])]
            event = ClusterEvent.SPLIT if sources else ClusterEvent.NEW
        elif not members:
            event, sources = ClusterEvent.GONE, []
        else:
            sources = [s for s in sorted(parts) if s not in new and parts[s] >= CONTINUES_FROM * still_here[s]]
            event = ClusterEvent.MERGED if sources else ClusterEvent.KEPT
        rows.append((cluster_id, event, ",".join(map(str, sources)), len(members)))
    return pd.DataFrame(rows, columns=["cluster_id", "event", "from_clusters", "count"]).astype(
        {"cluster_id": "int64", "event": "str", "from_clusters": "str", "count": "int64"}
    )
