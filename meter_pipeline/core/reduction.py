"""Fewer dimensions that keep who is near whom: UMAP (McInnes, Healy and Melville 2018, arXiv:1802.03426), repeatable.

Two implementations of the same method. `umap-learn` is the reference and takes the large sets; but it compiles itself
for 12 s in every process (31 s after an installation), which is most of the wait for the few hundred UNKNOWN photos of
a day. Those are reduced here, in NumPy, in about a second. That both
cluster alike is shown in docs/decisions/0004-clusters.md.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy import sparse

log = logging.getLogger(__name__)

LARGEST_NUMPY_SET = 3000
"""Photos up to which the NumPy implementation is the faster one."""
EPOCHS = 500
LEARNING_RATE = 0.3
"""Of the first epoch, falling to 0. umap-learn moves a point an edge at a time with 1.0; here all edges of an epoch act
together, which overshoots with 1.0."""
NEGATIVES_AN_EDGE = 5
CURVE_A, CURVE_B = 1.933, 0.7905
"""1 / (1 + a d^2b) is the similarity at distance d that umap-learn fits for spread 1 and min_dist 0."""
LARGEST_STEP = 4.0
SMALLEST_SQUARED_DISTANCE = 0.001
LAYOUT_EXTENT = 10.0
BISECTIONS = 64


def reduce_umap(unit: np.ndarray, *, dimensions: int, neighbors: int, seed: int) -> np.ndarray:
    """Return coordinates in which near embeddings are near and the rest is far.

    Args:
        unit: photos x dimensions, rows of length 1, more rows than `neighbors`.
        dimensions: of the result.
        neighbors: that a photo is compared with, itself included.
        seed: of the layout; the same input and seed give the same bits.

    Returns:
        photos x `dimensions`, float64.
    """
    if len(unit) > LARGEST_NUMPY_SET:
        return _umap_learn(unit, dimensions=dimensions, neighbors=neighbors, seed=seed)
    return _layout(_fuzzy_graph(unit, neighbors), _principal_components(unit, dimensions), seed)


def _umap_learn(unit: np.ndarray, *, dimensions: int, neighbors: int, seed: int) -> np.ndarray:
    log.info("Loading umap-learn, which compiles itself for some 15 s.")
    import umap

    reducer = umap.UMAP(
        n_components=dimensions,
        n_neighbors=neighbors,
        min_dist=0.0,
        metric="cosine",
        init="pca",
        random_state=seed,
        n_jobs=1,  # several threads race for the coordinates and give another result every time
    )
    return np.asarray(reducer.fit_transform(unit), np.float64)


def _fuzzy_graph(unit: np.ndarray, neighbors: int) -> sparse.coo_matrix:
    """Weights of the neighbour graph (section 3.1): a photo's nearest weighs 1, the others fall by its own scale."""
    count = len(unit)
    distances = np.maximum(1.0 - unit @ unit.T, 0.0)
    np.fill_diagonal(distances, -1.0)  # a photo is its own first neighbour, also among exact copies
    nearest = np.argsort(distances, axis=1, kind="stable")[:, 1:neighbors]
    distances = np.take_along_axis(distances, nearest, axis=1)
    beyond_nearest = distances - distances[:, :1]
    target = np.log2(neighbors)
    low, high, scale = np.zeros(count), np.full(count, np.inf), np.ones(count)
    for _ in range(BISECTIONS):
        too_wide = np.exp(-beyond_nearest / scale[:, None]).sum(axis=1) > target
        low, high = np.where(too_wide, low, scale), np.where(too_wide, scale, high)
        scale = np.where(np.isinf(high), scale * 2, (low + np.where(np.isinf(high), 0, high)) / 2)
    scale = np.maximum(scale, 1e-3 * distances.mean(axis=1) + 1e-12)
    weights = np.exp(-beyond_nearest / scale[:, None])
    rows = np.repeat(np.arange(count), neighbors - 1)
    directed = sparse.csr_matrix((weights.ravel(), (rows, nearest.ravel())), shape=(count, count))
    graph = (directed + directed.T - directed.multiply(directed.T)).tocsr()
    graph.sort_indices()
    return graph.tocoo()


def _principal_components(unit: np.ndarray, dimensions: int) -> np.ndarray:
    """The start of the layout: the first principal components, scaled to the extent that UMAP starts from."""
    centred = unit - unit.mean(axis=0)
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    left, strengths = left[:, :dimensions], strengths[:dimensions]
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    start = left * strengths * np.where(signs == 0, 1.0, signs)
    start = np.pad(start, ((0, 0), (0, dimensions - start.shape[1])))
    return start / max(float(np.abs(start).max()), 1e-12) * LAYOUT_EXTENT


def _layout(graph: sparse.coo_matrix, start: np.ndarray, seed: int) -> np.ndarray:
    """Move the points: an edge is pulled together as often as it weighs, and its ends away from random others."""
    generator = np.random.default_rng(seed)
    count = len(start)
    kept = graph.data >= graph.data.max() / EPOCHS
    heads, tails, weights = graph.row[kept], graph.col[kept], graph.data[kept] / graph.data.max()
    position = start + generator.normal(0.0, 1e-4, start.shape)
    due = generator.random(len(weights))
    for epoch in range(EPOCHS):
        due += weights
        active = due >= 1.0
        due[active] -= 1.0
        head, tail = heads[active], tails[active]
        pull = _pull(position[head] - position[tail])
        other = generator.integers(0, count, (len(head), NEGATIVES_AN_EDGE))
        push = _push(position[head][:, None, :] - position[other], other == head[:, None]).sum(axis=1)
        edges, ones = np.arange(len(head)), np.ones(len(head))
        to_head = sparse.csr_matrix((ones, (head, edges)), shape=(count, len(head)))
        to_tail = sparse.csr_matrix((ones, (tail, edges)), shape=(count, len(head)))
        position = position + LEARNING_RATE * (1.0 - epoch / EPOCHS) * (to_head @ (pull + push) - to_tail @ pull)
    return position


def _pull(difference: np.ndarray) -> np.ndarray:
    squared = np.maximum((difference**2).sum(axis=-1, keepdims=True), 1e-12)
    strength = -2.0 * CURVE_A * CURVE_B * squared ** (CURVE_B - 1.0) / (1.0 + CURVE_A * squared**CURVE_B)
    return np.clip(strength * difference, -LARGEST_STEP, LARGEST_STEP)


def _push(difference: np.ndarray, same: np.ndarray) -> np.ndarray:
    squared = (difference**2).sum(axis=-1, keepdims=True)
    strength = 2.0 * CURVE_B / ((SMALLEST_SQUARED_DISTANCE + squared) * (1.0 + CURVE_A * squared**CURVE_B))
    return np.clip(np.where(same[..., None], 0.0, strength) * difference, -LARGEST_STEP, LARGEST_STEP)
