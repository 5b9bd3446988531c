"""How good clusters are against a known truth: what `clusters.py` prints, by photos and by designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from meter_pipeline.labels import NOISE


@dataclass(frozen=True)
class ClusterScores:
    """Clusters against the truth; every score lies in 0 to 1, but by chance AMI and ARI are 0 or a little below.

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
        truth: what each photo shows.
        labels: the cluster of each photo, -1 for noise.
        is_meter: whether each photo shows a meter; None: all do.

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
