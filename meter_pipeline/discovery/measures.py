"""How good clusters are: against the truth where it is known, and by their own separation where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_score

from meter_pipeline.labels import NOISE

SILHOUETTE_SAMPLE = 3000
"""Photos that the silhouette is taken over at most: it compares each with each."""


@dataclass(frozen=True)
class ClusterScores:
    """Clusters against the truth; every score 0 to 1 but for chance, where AMI and ARI are 0 or a little below.

    Attributes:
        ami: adjusted mutual information, noise as one more group.
        ari: adjusted Rand index, noise as one more group.
        ami_clustered: the same without the noise photos.
        ari_clustered: the same without the noise photos.
        purity: share of the clustered photos that have their cluster's most frequent label.
        coverage: share of the photos that are in a cluster.
        meter_coverage: the same of the photos that show a meter.
        clusters: number of clusters.
    """

    ami: float
    ari: float
    ami_clustered: float
    ari_clustered: float
    purity: float
    coverage: float
    meter_coverage: float
    clusters: int


def cluster_scores(
    truth: Sequence[str] | np.ndarray, labels: np.ndarray, is_meter: np.ndarray | None = None
) -> ClusterScores:
    """Score clusters against the truth.

    Args:
        truth: photos; what each shows.
        labels: photos; cluster, -1 noise.
        is_meter: photos; False for junk. None: all are meters.

    Returns:
        The scores; 0 where there is nothing to score.
    """
    names, labels = np.asarray(truth), np.asarray(labels)
    meters = np.ones(len(labels), bool) if is_meter is None else np.asarray(is_meter, bool)
    clustered = labels != NOISE
    if not clustered.any():
        return ClusterScores(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    clusters = np.unique(labels[clustered])
    most_frequent = sum(np.unique(names[labels == c], return_counts=True)[1].max() for c in clusters)
    return ClusterScores(
        ami=float(adjusted_mutual_info_score(names, labels)),
        ari=float(adjusted_rand_score(names, labels)),
        ami_clustered=float(adjusted_mutual_info_score(names[clustered], labels[clustered])),
        ari_clustered=float(adjusted_rand_score(names[clustered], labels[clustered])),
        purity=float(most_frequent / clustered.sum()),
        coverage=float(clustered.mean()),
        meter_coverage=float(clustered[meters].mean()) if meters.any() else 0.0,
        clusters=len(clusters),
    )


def silhouette(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """Return how much nearer photos are to their own cluster than to the next (Rousseeuw 1987): -1 to 1, cosine.

    Noise is left out; 0 where there are fewer than two clusters or a cluster for every photo.

    Args:
        embeddings: photos x dimensions.
        labels: photos; cluster, -1 noise.
    """
    clustered = np.flatnonzero(np.asarray(labels) != NOISE)
    if len(clustered) > SILHOUETTE_SAMPLE:
        clustered = np.sort(np.random.default_rng(0).choice(clustered, SILHOUETTE_SAMPLE, replace=False))
    found = len(np.unique(labels[clustered]))
    if found < 2 or found >= len(clustered):
        return 0.0
    return float(silhouette_score(embeddings[clustered], labels[clustered], metric="cosine"))
