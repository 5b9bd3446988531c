"""Clusters that hold two parts clearly apart, cut in two: density links designs through a few photos between them."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from meter_pipeline.core.cluster_metrics import NOISE

CLEARLY_APART = 0.35
"""Silhouette of the two parts; photos of one design reach 0.14 (0004-clusters.md)."""
MOST_LOOKED_AT = 2000
"""Photos of a cluster that is looked at; the work grows with their square."""


def cut_into_parts(unit: np.ndarray, labels: np.ndarray, smallest: int) -> np.ndarray:
    """Return labels with clusters cut where Ward's method finds two parts clearly apart; parts are looked at again.

    Args:
        unit: photos x dimensions, L2-normalised.
        labels: cluster a photo, -1 noise.
        smallest: photos of a part.

    Returns:
        Labels; the larger part keeps its cluster's, the other one gets a new one.
    """
    labels = labels.copy()
    if (labels == NOISE).all():
        return labels
    # What all the photos share hides what tells the parts apart.
    centre = unit.mean(axis=0, dtype=np.float64)
    waiting = sorted(set(labels.tolist()) - {NOISE})
    while waiting:
        label = waiting.pop()
        rows = np.flatnonzero(labels == label)
        if not max(2 * smallest, 3) <= len(rows) <= MOST_LOOKED_AT:
            continue
        points = normalize(unit[rows] - centre)
        part = AgglomerativeClustering(2, linkage="ward").fit_predict(points)
        part = part if np.sum(part) * 2 <= len(part) else 1 - part
        if part.sum() >= smallest and silhouette_score(points, part, metric="cosine") > CLEARLY_APART:
            new = int(labels.max()) + 1
            labels[rows[part == 1]] = new
            waiting += [label, new]
    return labels
