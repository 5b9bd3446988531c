"""How good clusters are against a known truth: what `clusters.py` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from meter_pipeline.labels import NOISE

FEWEST_SCORED = 4
"""Photos of a label below which AMI does not count it."""
JUNK = "junk"


@dataclass(frozen=True)
class ClusterScores:
    """Clusters against the truth.

    Attributes:
        photos: how many there are.
        ami: adjusted mutual information over the photos of labels with `FEWEST_SCORED` or more, noise as one group.
        purity: share of the clustered photos that have their cluster's most frequent label; each kind of junk is one.
        coverage: share of the photos of such designs of meters that are in a cluster.
        photos_per_decision: photos by decisions of a person: one for a cluster, one for each photo to be taken out of
            it, one for each photo of noise and of clusters of which no label has half; junk is one label.
        at_best: the same if each label were one cluster.
        clusters: number of clusters.
        clusters_per_design: clusters by labels, junk as one.
    """

    photos: int
    ami: float
    purity: float
    coverage: float
    photos_per_decision: float
    at_best: float
    clusters: int
    clusters_per_design: float


def cluster_scores(
    truth: Sequence[str] | np.ndarray, labels: np.ndarray, is_junk: np.ndarray | None = None
) -> ClusterScores:
    """Score clusters against the truth.

    Args:
        truth: what each photo shows.
        labels: the cluster of each photo, -1 for noise.
        is_junk: whether each photo shows no meter; None: all show one.
    """
    names, labels = np.asarray(truth, object), np.asarray(labels)
    junk = np.zeros(len(labels), bool) if is_junk is None else np.asarray(is_junk, bool)
    one_junk = np.where(junk, JUNK, names)
    _, number, counts = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    scored, clustered = counts[number] >= FEWEST_SCORED, labels != NOISE
    right, decisions = 0, int(np.sum(~clustered))
    clusters = np.unique(labels[clustered])
    for cluster in clusters:
        members = labels == cluster
        right += _most_frequent(names[members])
        kept = _most_frequent(one_junk[members])
        decisions += int(members.sum()) + (1 - kept if 2 * kept >= members.sum() else 0)
    designs, meters = len(set(one_junk)), scored & ~junk
    return ClusterScores(
        photos=len(labels),
        ami=float(adjusted_mutual_info_score(number[scored], labels[scored])) if scored.any() else 0.0,
        purity=right / clustered.sum() if clustered.any() else 0.0,
        coverage=float(clustered[meters].mean()) if meters.any() else 0.0,
        photos_per_decision=len(labels) / decisions if decisions else 0.0,
        at_best=len(labels) / max(designs, 1),
        clusters=len(clusters),
        clusters_per_design=len(clusters) / max(designs, 1),
    )


def _most_frequent(names: np.ndarray) -> int:
    return int(np.unique(names.astype(str), return_counts=True)[1].max())
