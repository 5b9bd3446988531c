"""How sure a cluster is to be of one design, from how alike its photos are; calibrated on sets with a known truth."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from meter_pipeline.labels import NOISE

ONE_DESIGN = 0.9
"""Share of a cluster's photos that have to show one design for the cluster to be of one: what is calibrated."""
INTERCEPT, SLOPE = -2.17, 5.99
"""Of the logarithm of the odds, by the mean cosine similarity of two of the cluster's photos (0016)."""


def sureness(unit: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Return for each cluster the chance, 0 to 1, that nine in ten of its photos show one design; noise has none.

    Args:
        unit: what photos are compared by (`comparison.compared`), photos x dimensions.
        labels: the cluster of each photo, -1 for noise.
    """
    clusters, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(clusters), unit.shape[1]))
    np.add.at(sums, places, unit)
    alike = {
        int(cluster): (float(total @ total) - count) / (count * (count - 1))
        for cluster, total, count in zip(clusters, sums, counts, strict=True)
        if cluster != NOISE and count > 1
    }
    return {cluster: float(expit(INTERCEPT + SLOPE * similarity)) for cluster, similarity in alike.items()}
