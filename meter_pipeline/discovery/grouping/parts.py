"""Clusters that hold two parts clearly apart, cut in two: a few photos between two designs tie them together."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score

from meter_pipeline.labels import NOISE

MIN_SILHOUETTE = 0.33
"""Of two parts that are cut apart (cosine, -1 to 1); chosen in 0016."""
SMALLEST_PART = 3
"""Different meters in a part: two photos of a design are often of one visit."""
MOST_LOOKED_AT = 2000
"""Most photos of a cluster that is looked at; the work grows with their square."""


def cut_into_parts(unit: np.ndarray, labels: np.ndarray, meters: np.ndarray) -> np.ndarray:
    """Return labels with clusters cut where two parts are clearly apart; parts are looked at again.

    Ward's method proposes the parts.

    Args:
        unit: photos x dimensions, L2-normalised.
        labels: the cluster of each photo, -1 for noise.
        meters: id of the meter on each photo, the same for photos that show one physical meter: these count once.

    Returns:
        Labels; the larger part keeps its cluster's, the other one gets a new one.
    """
    labels = labels.copy()
    waiting = sorted(set(labels.tolist()) - {NOISE})
    while waiting:
        label = waiting.pop()
        rows = np.flatnonzero(labels == label)
        if not 2 * SMALLEST_PART <= len(rows) <= MOST_LOOKED_AT:
            continue
        part = AgglomerativeClustering(2, linkage="ward").fit_predict(unit[rows])
        part = part if np.sum(part) * 2 <= len(part) else 1 - part
        if min(len(np.unique(meters[rows[part == side]])) for side in (0, 1)) < SMALLEST_PART:
            continue
        if silhouette_score(unit[rows], part, metric="cosine") > MIN_SILHOUETTE:
            new = int(labels.max()) + 1
            labels[rows[part == 1]] = new
            waiting += [label, new]
    return labels
