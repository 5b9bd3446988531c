"""Clusters that hold two parts clearly apart, cut in two: density links designs through a few photos between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from meter_pipeline.core.cluster_metrics import NOISE

MOST_LOOKED_AT = 2000
"""Photos of a cluster that is looked at; the work grows with their square."""


def cut_into_parts(looks: Sequence[np.ndarray], labels: np.ndarray, *, smallest: int, apart: float) -> np.ndarray:
    """Return labels with clusters cut where two parts are clearly apart, however they are looked at.

    Ward's method proposes two parts by the first look; what tells them apart has to be seen in every look. Another
    light or another wall is not seen close up, nor is another distance on the whole photo: another design is in both.
    Parts are looked at again.

    Args:
        looks: embeddings of the photos, one or several ways to look at them; each photos x dimensions, L2-normalised.
        labels: cluster a photo, -1 noise.
        smallest: photos of a part.
        apart: silhouette of the two parts (cosine, -1 to 1) above which they are cut.

    Returns:
        Labels; the larger part keeps its cluster's, the other one gets a new one.
    """
    labels = labels.copy()
    if (labels == NOISE).all():
        return labels
    # What all the photos share hides what tells the parts apart.
    centres = [look.mean(axis=0, dtype=np.float64) for look in looks]
    waiting = sorted(set(labels.tolist()) - {NOISE})
    while waiting:
        label = waiting.pop()
        rows = np.flatnonzero(labels == label)
        if not max(2 * smallest, 3) <= len(rows) <= MOST_LOOKED_AT:
            continue
        points = [normalize(look[rows] - centre) for look, centre in zip(looks, centres, strict=True)]
        part = AgglomerativeClustering(2, linkage="ward").fit_predict(points[0])
        part = part if np.sum(part) * 2 <= len(part) else 1 - part
        if part.sum() >= smallest and all(silhouette_score(seen, part, metric="cosine") > apart for seen in points):
            new = int(labels.max()) + 1
            labels[rows[part == 1]] = new
            waiting += [label, new]
    return labels
