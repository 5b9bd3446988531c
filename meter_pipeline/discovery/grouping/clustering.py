"""Groups of photos that look alike, by their neighbourhoods: the same way for fifteen photos and for a million."""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.grouping.average_linkage import average_linkage
from meter_pipeline.discovery.grouping.comparison import checked_unit
from meter_pipeline.discovery.grouping.neighbours import LARGEST_EXACT, nearest
from meter_pipeline.discovery.grouping.parts import cut_into_parts
from meter_pipeline.discovery.grouping.random_walk import SCALE_OF, first_step, step_between_clusters, walk
from meter_pipeline.labels import NOISE

_logger = logging.getLogger(__name__)

Parameters = dict[str, str | int | float]
"""What a clustering was made with, by name; for the log and the UI."""

OF_WALKS = 0.7
"""Weight of the neighbourhoods in the affinity of two photos; the rest is that of their looks (0016)."""
LEAST_AFFINITY, LEAST_AFFINITY_OF_GROUPS = 0.5, 0.7
"""Mean affinity of two groups' photos from which on the groups are one: while photos join, and afterwards (0016)."""
SMALLEST_CLUSTER = 2
"""Photos from which on a group is a cluster; one that stands alone is noise."""
LEAST_MEMBERSHIP = 0.01
"""A member is in its cluster, however far from its middle: 0 stands for noise alone."""
SAME_PHOTO_DECIMALS = 4
"""Unit embeddings that agree to this many decimals are one photo in several files."""


@dataclass(frozen=True)
class Clustering:
    """Which photos belong together.

    Attributes:
        labels: the cluster of each photo: 0, 1, ... in order of falling size, -1 for noise. Labels of this one
            clustering, not stable ids.
        membership: cosine similarity of each photo to the middle of its cluster, 0 to 1; 0 for noise.
        parameters: what was used, for the log and the UI.
        note: what a person should know; empty if nothing is special.
    """

    labels: np.ndarray
    membership: np.ndarray
    parameters: Parameters = field(default_factory=dict)
    note: str = ""

    @property
    def count(self) -> int:
        """Number of clusters, noise left out."""
        return len(set(self.labels.tolist()) - {NOISE})


@dataclass(frozen=True)
class DifferentPhotos:
    """One of each set of equal embeddings: thousands of copies would hide the other neighbours.

    Attributes:
        unit: the different embeddings, in order of their first photos; not to be changed, as it may be the original.
        which: which of them each photo is.
        first: the first photo of each.
    """

    unit: np.ndarray
    which: np.ndarray
    first: np.ndarray


def cluster(
    compared: np.ndarray,
    *,
    meters: np.ndarray | None = None,
    min_cluster_size: int | None = None,
    largest_exact: int = LARGEST_EXACT,
) -> Clustering:
    """Group photos; the same rows in the same order give the same output, bit for bit.

    Args:
        compared: what they are compared by (`comparison.compared`), photos x dimensions.
        meters: id of the meter on each photo, the same for photos known to show one: parts are counted in meters.
        min_cluster_size: photos of the smallest cluster, 2 or more; None: `SMALLEST_CLUSTER`.
        largest_exact: different photos up to which all pairs are compared, rather than those an index finds.

    Raises:
        MeterError: an embedding holds NaN or infinity, or is all zeros; says how many are.
        ValueError: `meters` has a different number of photos from the embeddings.
    """
    count, size = len(compared), min_cluster_size or SMALLEST_CLUSTER
    if meters is not None and len(meters) != count:
        raise ValueError("`meters` has a different number of photos from the embeddings.")
    if count == 0:
        return Clustering(np.zeros(0, np.int64), np.zeros(0), {"method": "none"}, "There are no UNKNOWN photos.")
    unit = checked_unit(compared)
    # Sums are cut by thread: another number of threads gives different last bits.
    with threadpool_limits(1):
        different = different_photos(unit)
        parameters: Parameters = {"min_cluster_size": size, "different_photos": len(different.unit)}
        groups = np.zeros(1, np.int64)
        if len(different.unit) > 1:
            neighbours = neighbours_looked_at(len(different.unit))
            parameters |= {"method": "random walk + average linkage", "neighbours": neighbours}
            groups = _groups(different.unit, neighbours, largest_exact)
            ids = np.arange(count) if meters is None else meters
            groups = cut_into_parts(different.unit, groups, ids[different.first])
        labels = _large_enough(groups[different.which], size)
        membership = _membership(unit, labels)
    return Clustering(_by_size(labels), membership, parameters, _note(labels, min_cluster_size))


def neighbours_looked_at(photos: int) -> int:
    """Return how many neighbours of a photo tell where it belongs: 3 in a set of 15, 5 of 300, 9 of 100,000 (0016)."""
    return min(photos - 1, max(2, round(0.45 * math.log2(photos) + 1.2)))


def different_photos(unit: np.ndarray) -> DifferentPhotos:
    """Take one of each set of equal embeddings, in order.

    Args:
        unit: photos x dimensions, L2-normalised.
    """
    scale = 10.0**SAME_PHOTO_DECIMALS
    which = pd.factorize(np.array([_digest(np.rint(row * scale)) for row in unit], np.int64))[0]
    _, first = np.unique(which, return_index=True)
    different = unit if len(first) == len(unit) else unit[first]  # a million photos are not copied in vain
    return DifferentPhotos(different, which, first)


def _digest(row: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(row.astype(np.int16).tobytes(), digest_size=8).digest(), "big", signed=True)


def _groups(unit: np.ndarray, neighbours: int, largest_exact: int) -> np.ndarray:
    """Return the group of each photo: photos join, then the groups as wholes, until none do.

    A walk of a few steps does not come through all of a design of thousands of photos, but through groups of them.
    """
    found = nearest(unit, min(max(neighbours, SCALE_OF), len(unit) - 1), largest_exact=largest_exact)
    step, looks, sizes = first_step(found, neighbours), unit, np.ones(len(unit))
    groups, limit = np.arange(len(unit)), LEAST_AFFINITY
    while True:
        becomes = average_linkage(walk(step), looks, sizes, of_walks=OF_WALKS, limit=limit)
        groups, limit = becomes[groups], LEAST_AFFINITY_OF_GROUPS
        if becomes.max() + 1 == len(sizes):
            return groups
        step = step_between_clusters(step, sizes, becomes)
        join = csr_array((np.ones(len(becomes)), (becomes, np.arange(len(becomes)))))
        looks, sizes = join @ looks, join @ sizes


def _large_enough(groups: np.ndarray, size: int) -> np.ndarray:
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.where(counts[number] >= size, groups, NOISE)


def _note(labels: np.ndarray, asked_for: int | None) -> str:
    if asked_for is not None and asked_for > len(labels):
        return f"The smallest cluster is set to {asked_for} photos and there are {len(labels)}: all are noise."
    size = asked_for or SMALLEST_CLUSTER
    return "" if (labels != NOISE).any() else f"No {size} of the {len(labels)} photos look alike: all are noise."


def _membership(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    found, number = np.unique(labels, return_inverse=True)
    middles = np.zeros((len(found), unit.shape[1]))
    np.add.at(middles, number, unit)
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    similarity = np.einsum("ij,ij->i", unit, middles.astype(np.float32)[number]).astype(np.float64)
    return np.where(labels == NOISE, 0.0, similarity.clip(LEAST_MEMBERSHIP, 1.0))


def _by_size(labels: np.ndarray) -> np.ndarray:
    """Number the clusters by falling size, then by their first photo."""
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    is_cluster = found != NOISE
    found, first, counts = found[is_cluster], first[is_cluster], counts[is_cluster]
    order = np.lexsort((first, -counts))
    number = {int(found[place]): new for new, place in enumerate(order)}
    return np.array([number.get(int(label), NOISE) for label in labels], np.int64)
