"""Would the clusters be the same without a fifth of the photos? A measure that needs no labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from meter_pipeline.discovery.clustering import cluster

SUBSAMPLES, SUBSAMPLE_SHARE = 5, 0.8
LARGEST_MEASURED = 2000
"""Photos above which it is left out: it costs five clusterings."""


def stability(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    views: Sequence[np.ndarray] = (),
    meters: np.ndarray | None = None,
    min_cluster_size: int | None,
    seed: int,
) -> float | None:
    """Return how well clusterings of random 80 % of the photos agree with `labels`: mean AMI, 0 by chance, 1 the same.

    (Hennig 2007, with the adjusted mutual information in the place of Jaccard's index; noise counts as one group.)

    Args:
        embeddings: photos x dimensions, as they were clustered.
        labels: photos; cluster, -1 noise.
        views: as it was clustered with.
        meters: likewise.
        min_cluster_size: as it was clustered with.
        seed: of the subsamples and the reduction.

    Returns:
        None where there is nothing to measure, or more than `LARGEST_MEASURED` photos.
    """
    if not 2 <= len(labels) <= LARGEST_MEASURED or len(np.unique(labels)) < 2:
        return None
    random = np.random.default_rng(seed)
    agreements = []
    for _ in range(SUBSAMPLES):
        chosen = np.sort(random.choice(len(labels), max(2, round(SUBSAMPLE_SHARE * len(labels))), replace=False))
        again = cluster(
            embeddings[chosen],
            views=[view[chosen] for view in views],
            meters=None if meters is None else meters[chosen],
            min_cluster_size=min_cluster_size,
            seed=seed,
        ).labels
        agreements.append(adjusted_mutual_info_score(labels[chosen], again))
    return float(np.mean(agreements))
