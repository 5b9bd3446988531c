"""A set of photos that grew: which photos stay in the cluster they have, and which follow the new clustering."""

from __future__ import annotations

import numpy as np

from meter_pipeline.labels import NOISE

SETTLED_SHARE = 0.7
"""A group of the new clustering with a smaller share of settled photos is taken as it is; chosen in 0009."""


def keep_places(found: np.ndarray, previous: np.ndarray, settled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the clusters of a set that was clustered before, and which photos are settled in theirs.

    The whole set was clustered anew, and says which photos belong together. Where most photos of a new group are
    settled, they stay in the clusters they have, and the rest of the group joins the cluster that most of them are in:
    a photo does not change its cluster because 20 % more photos came. Where most of a group are not, it is a cluster of
    its own and its photos are settled in it: clusters of few photos are not kept for ever.

    Args:
        found: photos; group in the new clustering, -1 noise.
        previous: photos; cluster before, -1 noise or not there.
        settled: photos; in their cluster since it was formed, rather than joined to it later.

    Returns:
        The clusters (numbers of `previous` where they stay, new numbers else, -1 noise), and the new `settled`.
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


def _without_loners(clusters: np.ndarray) -> np.ndarray:
    """A photo that is left alone in its cluster, the others having gone, is noise."""
    numbers, counts = np.unique(clusters, return_counts=True)
    return np.where(np.isin(clusters, numbers[counts == 1]), NOISE, clusters)
