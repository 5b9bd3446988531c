"""How good clusters are where nobody knows the truth: how far they are apart, and whether they would come again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

from meter_pipeline.labels import NOISE

SILHOUETTE_SAMPLE = 3000
"""Most photos that the silhouette is taken over: it compares all pairs."""
SUBSAMPLES, SUBSAMPLE_SHARE = 5, 0.8
LARGEST_MEASURED = 2000
"""Most photos whose stability is measured: it costs five clusterings."""


def silhouette(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """Return how much nearer photos are to their own cluster than to the next (Rousseeuw 1987): -1 to 1, cosine.

    Noise is left out; 0 where there are fewer than two clusters or a cluster for every photo.

    Args:
        embeddings: photos x dimensions.
        labels: the cluster of each photo, -1 for noise.
    """
    clustered = np.flatnonzero(np.asarray(labels) != NOISE)
    if len(clustered) > SILHOUETTE_SAMPLE:
        clustered = np.sort(np.random.default_rng(0).choice(clustered, SILHOUETTE_SAMPLE, replace=False))
    found = len(np.unique(labels[clustered]))
    if found < 2 or found >= len(clustered):
        return 0.0
    return float(silhouette_score(embeddings[clustered], labels[clustered], metric="cosine"))


def stability(labels: np.ndarray, cluster_again: Callable[[np.ndarray], np.ndarray]) -> float | None:
    """Return how well clusterings of random 80 % of the photos agree with `labels`: mean AMI, 1 the same, 0 by chance.

    (Hennig 2007, with the adjusted mutual information in place of Jaccard's index; noise counts as one group.)

    Args:
        labels: the cluster of each photo, -1 for noise.
        cluster_again: from the rows of some photos, in order, to their clusters.

    Returns:
        None if there is nothing to measure, or more than `LARGEST_MEASURED` photos.
    """
    if not 2 <= len(labels) <= LARGEST_MEASURED or len(np.unique(labels)) < 2:
        return None
    random = np.random.default_rng(0)
    agreements = []
    for _ in range(SUBSAMPLES):
        chosen = np.sort(random.choice(len(labels), max(2, round(SUBSAMPLE_SHARE * len(labels))), replace=False))
        agreements.append(adjusted_mutual_info_score(labels[chosen], cluster_again(chosen)))
    return float(np.mean(agreements))
