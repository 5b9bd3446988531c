"""Average linkage over affinities that only few pairs have: linear in these pairs.

Clusters join while their photos' affinity, in the mean over all pairs, reaches a limit. All pairs of clusters that are
each other's nearest join at once, which gives the same tree (reducibility, Bruynooghe 1977; in rounds, Sumengen et al.
2021, arXiv:2105.11653). The affinity of two photos is an inner product of their sparse walks and of their dense looks,
so that the mean over pairs follows from sums over clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

LEAST_OVERLAP = 0.05
"""Two walks that overlap less are taken not to meet: most pairs do so by chance, through a hub."""
_PAIRS_AT_ONCE = 50_000
_ROUNDING = 1e-6


class _Clusters(NamedTuple):
    """Clusters so far.

    Attributes:
        meeting: sums of the walks' overlap, clusters x clusters, symmetric, indices sorted.
        looks: sums of the looks, clusters x dimensions.
        sizes: photos in each.
    """

    meeting: csr_array
    looks: np.ndarray
    sizes: np.ndarray

    def joined(self, number: np.ndarray) -> _Clusters:
        """Return the clusters that these become, by the number of each."""
        join = csr_array((np.ones(len(number), np.float32), (number, np.arange(len(number)))))
        meeting = csr_array(join @ self.meeting @ join.T)
        meeting.sort_indices()
        return _Clusters(meeting, join.astype(np.float64) @ self.looks, join.astype(np.float64) @ self.sizes)


def average_linkage(
    walks: csr_array, looks: np.ndarray, sizes: np.ndarray, *, of_walks: float, limit: float
) -> np.ndarray:
    """Return the cluster of each item, a photo or a cluster of photos: 0, 1, ... in order of their first items.

    Args:
        walks: items x items, rows of length 1 and without negative numbers (`random_walk.walk`).
        looks: sums of the L2-normalised looks of each item's photos, items x dimensions.
        sizes: photos of each item.
        of_walks: weight of the walks in the affinity, over 0 to 1; the rest is that of the looks.
        limit: least mean affinity of two clusters that join; more than the looks' weight, so that pairs whose walks do
            not meet never join.

    Raises:
        ValueError: the limit is not more than the looks' weight.
    """
    if limit <= 1 - of_walks:
        raise ValueError(f"The limit {limit} has to be over {1 - of_walks:.2f}: others may join than those looked at.")
    number = np.arange(len(sizes))
    clusters = _Clusters(_meeting(walks, sizes), looks.astype(np.float64), sizes.astype(np.float64))
    while True:
        partner = _nearest(clusters, of_walks, limit)
        own = np.arange(len(partner))
        joins = (partner >= 0) & (partner[partner] == own)
        if not joins.any():
            return number
        _, becomes = np.unique(np.where(joins, np.minimum(partner, own), own), return_inverse=True)
        number = becomes[number]
        clusters = clusters.joined(becomes)


def _meeting(walks: csr_array, sizes: np.ndarray) -> csr_array:
    """Return the sums of the walks' overlap over the photos of each two items, items x items."""
    walks = walks.astype(np.float32)
    meeting = csr_array(walks @ walks.T)
    meeting.data[meeting.data < LEAST_OVERLAP] = 0
    meeting.eliminate_zeros()
    meeting.sort_indices()
    pairs = np.repeat(sizes, np.diff(meeting.indptr)) * sizes[meeting.indices]
    meeting.data = (meeting.data * pairs).astype(np.float32)
    return meeting


def _nearest(clusters: _Clusters, of_walks: float, limit: float) -> np.ndarray:
    """Return the nearest cluster of each, -1 where none reaches the limit; of equally near ones the first."""
    meeting, sizes = clusters.meeting, clusters.sizes
    one = np.repeat(np.arange(len(sizes)), np.diff(meeting.indptr))
    other = meeting.indices
    affinity = of_walks * meeting.data / (sizes[one] * sizes[other])
    affinity[one == other] = -np.inf
    means = (clusters.looks / sizes[:, None]).astype(np.float32)
    lengths = np.linalg.norm(means, axis=1)
    # The nearest is hardly ever another one than that whose walks meet most: what is less near for sure is left out.
    met_most = _first_highest(one, affinity, meeting.indptr)
    least = np.full(len(sizes), limit)
    seen_from, seen = one[met_most], other[met_most]
    by_looks = (1 - of_walks) * _inner_products(means, seen_from, seen)
    least[seen_from] = np.maximum(limit, affinity[met_most] + by_looks - _ROUNDING)
    kept = affinity + (1 - of_walks) * lengths[one] * lengths[other] >= least[one]
    one, other, affinity = one[kept], other[kept], affinity[kept]
    affinity += (1 - of_walks) * _inner_products(means, one, other)
    starts = np.searchsorted(one, np.arange(len(sizes) + 1))
    first = _first_highest(one, affinity, starts)
    first = first[affinity[first] >= limit]
    nearest = np.full(len(sizes), -1)
    nearest[one[first]] = other[first]
    return nearest


def _first_highest(rows: np.ndarray, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the place of the first highest value of each row that has a finite one; a row's places lie together."""
    if not len(values):
        return np.zeros(0, np.int64)
    filled = np.diff(starts) > 0
    highest = np.full(len(filled), -np.inf)
    highest[filled] = np.maximum.reduceat(values, starts[:-1][filled])
    places = np.flatnonzero((values == highest[rows]) & (values > -np.inf))
    return places[np.unique(rows[places], return_index=True)[1]]


def _inner_products(points: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found = np.empty(len(one))
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        found[some] = np.einsum("ij,ij->i", points[one[some]], points[other[some]])
    return found
