"""Clusters that hold two parts clearly apart, cut in two: density links designs through a few photos between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from meter_pipeline.labels import NOISE

MOST_LOOKED_AT = 2000
"""Most photos of a cluster that is looked at; the work grows with their square."""


@dataclass(frozen=True)
class Cut:
    """When a cluster is cut into two parts.

    Attributes:
        name: by what.
        min_silhouette: of the two parts.
        fewest: meters in a part.
        share: meters in a part, as a share of the smallest cluster's photos.
    """

    name: str
    min_silhouette: float
    fewest: int
    share: float

    def smallest_part(self, min_cluster_size: int) -> int:
        """Return the fewest meters in a part where clusters have this many photos or more."""
        return max(self.fewest, round(self.share * min_cluster_size))


CUT_BY_EMBEDDING = Cut("embedding", min_silhouette=0.35, fewest=3, share=0.6)
"""Photos of one design reach 0.14 (0004)."""
CUT_BY_VIEWS = Cut("views", min_silhouette=0.18, fewest=2, share=0.4)
"""Where all the views have to show the parts (0014)."""


def cut_into_parts(
    views: Sequence[np.ndarray], labels: np.ndarray, *, smallest: int, min_silhouette: float, meters: np.ndarray
) -> np.ndarray:
    """Return labels with clusters cut where two parts are clearly apart, in every view.

    Ward's method proposes two parts by the first view; what tells them apart has to be seen in all. Another light or
    another wall is not seen close up, nor is another distance on the whole photo: another design is in both. (So is a
    burst of one meter; it counts once.) Parts are looked at again.

    Args:
        views: one or several embeddings of each photo; each photos x dimensions, L2-normalised.
        labels: the cluster of each photo, -1 for noise.
        smallest: different meters in a part, photos of one meter counted once.
        min_silhouette: of the two parts (cosine, -1 to 1); above it they are cut.
        meters: id of the meter on each photo, the same for photos that show one physical meter.

    Returns:
        Labels; the larger part keeps its cluster's, the other one gets a new one.
    """
    labels = labels.copy()
    if (labels == NOISE).all():
        return labels
    # What all the photos share hides what tells the parts apart.
    centres = [view.mean(axis=0, dtype=np.float64) for view in views]
    waiting = sorted(set(labels.tolist()) - {NOISE})
    while waiting:
        label = waiting.pop()
        rows = np.flatnonzero(labels == label)
        if not max(2 * smallest, 3) <= len(rows) <= MOST_LOOKED_AT:
            continue
        points = [normalize(view[rows] - centre) for view, centre in zip(views, centres, strict=True)]
        part = AgglomerativeClustering(2, linkage="ward").fit_predict(points[0])
        part = part if np.sum(part) * 2 <= len(part) else 1 - part
        if min(len(np.unique(meters[rows[part == side]])) for side in (0, 1)) < smallest:
            continue
        if all(silhouette_score(seen, part, metric="cosine") > min_silhouette for seen in points):
            new = int(labels.max()) + 1
            labels[rows[part == 1]] = new
            waiting += [label, new]
    return labels
