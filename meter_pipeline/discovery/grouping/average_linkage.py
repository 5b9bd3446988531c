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

from meter_pipeline.discovery.grouping.sparse_products import product_of_at_least

LEAST_OVERLAP = 0.2
"""Two walks that overlap less are taken not to meet: most such pairs do by chance, and none joins two clusters."""
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

    def take(self, rows: np.ndarray) -> _Clusters:
        """Return some of the clusters; themselves where it is all of them."""
        if len(rows) == len(self.sizes):
            return self
        return _Clusters(csr_array(self.meeting[rows][:, rows]), self.looks[rows], self.sizes[rows])

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
    first_item = np.arange(len(sizes))  # of the cluster that each item is in
    growing = np.arange(len(sizes))  # clusters that may still grow, by their first items
    clusters = _Clusters(_meeting(walks, sizes), looks.astype(np.float64), sizes.astype(np.float64))
    while True:
        partner = _from_both_sides(_nearest(clusters, of_walks, limit))
        # Joining brings no two clusters nearer than one of their parts was: what has no partner now never will.
        live = np.flatnonzero(partner >= 0)
        if not len(live):
            return np.unique(first_item, return_inverse=True)[1]
        clusters, growing, partner = clusters.take(live), growing[live], np.searchsorted(live, partner[live])
        own = np.arange(len(live))
        joins = partner[partner] == own
        if not joins.any():  # rounding made a ring of equally near ones
            joins[[0, partner[0]]], partner[partner[0]] = True, 0
        into = np.where(joins, np.minimum(partner, own), own)
        becomes = np.arange(len(sizes))
        becomes[growing] = growing[into]
        first_item = becomes[first_item]
        kept, number = np.unique(into, return_inverse=True)
        clusters, growing = clusters.joined(number), growing[kept]


def _from_both_sides(partner: np.ndarray) -> np.ndarray:
    """Make each a partner of its own partner that has none: rounding made it reach the limit from one side alone."""
    seeking = np.flatnonzero(partner >= 0)
    seeking = seeking[partner[partner[seeking]] < 0]
    partner[partner[seeking]] = seeking
    return partner


def _meeting(walks: csr_array, sizes: np.ndarray) -> csr_array:
    """Return the sums of the walks' overlap over the photos of each two items, items x items."""
    meeting = product_of_at_least(walks, csr_array(walks.T), LEAST_OVERLAP)
    pairs = np.repeat(sizes, np.diff(meeting.indptr)) * sizes[meeting.indices]
    meeting.data *= pairs.astype(np.float32)
    return meeting


def _nearest(clusters: _Clusters, of_walks: float, limit: float) -> np.ndarray:
    """Return the nearest cluster of each, -1 where none reaches the limit; of equally near ones the first."""
    meeting, sizes = clusters.meeting, clusters.sizes.astype(np.float32)
    one = np.repeat(np.arange(len(sizes), dtype=np.int32), np.diff(meeting.indptr))
    other = meeting.indices
    affinity = np.float32(of_walks) * meeting.data
    affinity /= sizes[one] * sizes[other]
    affinity[one == other] = -np.inf
    means = (clusters.looks / clusters.sizes[:, None]).astype(np.float32)
    lengths = np.linalg.norm(means, axis=1)
    # The nearest is hardly ever another one than that whose walks meet most: what is less near for sure is left out.
    met_most = _first_highest(one, affinity, meeting.indptr)
    least = np.full(len(sizes), limit, np.float32)
    seen_from, seen = one[met_most], other[met_most]
    by_looks = (1 - of_walks) * _inner_products(means, seen_from, seen)
    least[seen_from] = np.maximum(limit, affinity[met_most] + by_looks - _ROUNDING)
    # The looks add at most their whole weight: with that most pairs are left out before their lengths are looked up.
    kept = np.flatnonzero(affinity + np.float32(1 - of_walks) >= least[one])
    one, other, affinity = one[kept], other[kept], affinity[kept].astype(np.float64)
    kept = affinity + (1 - of_walks) * lengths[one] * lengths[other] + _ROUNDING >= least[one]
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
    highest = np.full(len(filled), -np.inf, values.dtype)
    highest[filled] = np.maximum.reduceat(values, starts[:-1][filled])
    places = np.flatnonzero((values == highest[rows]) & (values > -np.inf))
    return places[np.unique(rows[places], return_index=True)[1]]


def _inner_products(points: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found = np.empty(len(one))
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        found[some] = np.einsum("ij,ij->i", points[one[some]], points[other[some]])
    return found
