"""Ways of clustering that the one in use is measured beside: the one before it (0009, 0014), and two plain ones.

From an embedding of each photo to labels, -1 for noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hdbscan import HDBSCAN
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import eigh
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize

from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline.labels import NOISE
from meter_pipeline.recognition.class_gaussians import ClassGaussians, rounded


def umap_hdbscan(unit: np.ndarray, *, neighbours: int = 10, smallest: int = 4, samples: int = 2) -> np.ndarray:
    """UMAP to 10 dimensions, then HDBSCAN, whatever the size of the set."""
    if len(unit) < 3:
        return np.full(len(unit), NOISE)
    if len(unit) < 15:
        return HDBSCAN(min(3, len(unit)), min_samples=1).fit_predict(unit.astype(np.float64))
    points = reduce_umap(unit, dimensions=10, neighbors=min(neighbours, len(unit) - 1), seed=0)
    model = HDBSCAN(smallest, min_samples=samples, approx_min_span_tree=False)
    return model.fit_predict(points)


def umap_hdbscan_cut(unit: np.ndarray, views: Sequence[np.ndarray], meters: np.ndarray) -> np.ndarray:
    """Return labels as before 0016: sizes by the root of the set's size, clusters cut where all views show parts."""
    smallest = min(max(4, round(math.sqrt(len(unit)) / 3)), 50)
    neighbours = max(min(max(4, round(0.7 * math.sqrt(len(unit)))), 10), min(smallest, 10))
    labels = umap_hdbscan(unit, neighbours=neighbours, smallest=smallest, samples=(smallest + 1) // 2)
    return _cut_by_views(views, labels, max(2, round(0.4 * smallest)), meters)


def whitened(gaussians: ClassGaussians, embeddings: np.ndarray) -> np.ndarray:
    """Return points in which photos of one known class vary alike in every direction, as compared before 0016."""
    values, vectors = eigh(rounded(gaussians.within, 0.22))
    points = (embeddings - gaussians.centre) @ gaussians.components.T
    return normalize(points @ vectors / np.sqrt(np.maximum(values, 1e-12))).astype(np.float32)


def k_reciprocal(unit: np.ndarray, *, neighbours: int = 12, cut: float = 0.7) -> np.ndarray:
    """Average linkage over the Jaccard distance of expanded k-reciprocal neighbours (Zhong et al., CVPR 2017)."""
    count = len(unit)
    if count < 3:
        return np.full(count, NOISE)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, 2)
    order = np.argsort(-similarity, axis=1, kind="stable")
    wide, narrow = (_reciprocal(order, min(size, count - 1)) for size in (neighbours, max(1, round(neighbours / 2))))
    in_common = wide.astype(np.float32) @ narrow.T.astype(np.float32)
    joined = wide & (in_common >= 2 / 3 * narrow.sum(axis=1) - 1e-9)
    expanded = wide | (joined.astype(np.float32) @ narrow.astype(np.float32) > 0)
    np.fill_diagonal(similarity, 1)
    weights = np.exp(2 * similarity - 2) * expanded
    weights /= weights.sum(axis=1, keepdims=True)
    shared = np.stack([np.minimum(row, weights).sum(axis=1) for row in weights])
    distance = np.maximum(1 - shared / (2 - shared), 0)
    np.fill_diagonal(distance, 0)
    labels = fcluster(linkage(squareform((distance + distance.T) / 2, checks=False), "average"), cut, "distance")
    return np.where(np.bincount(labels)[labels] > 1, labels, NOISE)


def _reciprocal(order: np.ndarray, count: int) -> np.ndarray:
    near = np.zeros((len(order), len(order)), bool)
    near[np.arange(len(order))[:, None], order[:, : count + 1]] = True
    return near & near.T


def _cut_by_views(views: Sequence[np.ndarray], labels: np.ndarray, smallest: int, meters: np.ndarray) -> np.ndarray:
    labels, waiting = labels.copy(), sorted(set(labels.tolist()) - {NOISE})
    while waiting:
        label = waiting.pop()
        rows = np.flatnonzero(labels == label)
        if len(rows) < max(2 * smallest, 3):
            continue
        points = [normalize(view[rows] - view.mean(axis=0)) for view in views]
        part = AgglomerativeClustering(2, linkage="ward").fit_predict(points[0])
        part = part if np.sum(part) * 2 <= len(part) else 1 - part
        if min(len(np.unique(meters[rows[part == side]])) for side in (0, 1)) < smallest:
            continue
        if all(silhouette_score(seen, part, metric="cosine") > 0.18 for seen in points):
            new = int(labels.max()) + 1
            labels[rows[part == 1]] = new
            waiting += [label, new]
    return labels
