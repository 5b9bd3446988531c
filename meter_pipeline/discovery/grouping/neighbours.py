"""The nearest photos of each: all pairs where these are few, an index (FAISS, Douze et al. 2024) where they are not."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

LARGEST_EXACT = 20_000
"""Photos up to which all pairs are compared: a few seconds."""
CELLS_PER_ROOT, CELLS_LOOKED_INTO = 2.0, 24
"""Cells of the index, in roots of the number of photos, and how many of them are looked into for each photo."""
PHOTOS_PER_CELL_LEARNED = 40
"""Photos that each cell is learned from."""
_BLOCK_ROWS = 2048


class Neighbours(NamedTuple):
    """The nearest photos of each photo, the nearest first, itself left out.

    Attributes:
        rows: photos x count, int64.
        similarity: cosine, photos x count, float32.
    """

    rows: np.ndarray
    similarity: np.ndarray


def nearest(unit: np.ndarray, count: int, *, largest_exact: int = LARGEST_EXACT) -> Neighbours:
    """Return the nearest neighbours of each photo; of equally near ones, the first.

    Args:
        unit: photos x dimensions, L2-normalised, float32, no two rows alike; at least `count` + 1 photos.
        count: neighbours of each.
        largest_exact: photos up to which all pairs are compared; of more, a neighbour in a hundred may be missed.
    """
    if len(unit) <= largest_exact:
        return _of_all_pairs(unit, count)
    return _by_index(unit, count)


def _of_all_pairs(unit: np.ndarray, count: int) -> Neighbours:
    rows = np.empty((len(unit), count), np.int64)
    similarity = np.empty((len(unit), count), np.float32)
    for start in range(0, len(unit), _BLOCK_ROWS):
        block = unit[start : start + _BLOCK_ROWS] @ unit.T
        own = np.arange(len(block))
        block[own, start + own] = -np.inf
        found = np.sort(np.argpartition(-block, count - 1, axis=1)[:, :count], axis=1)
        values = np.take_along_axis(block, found, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        rows[start : start + len(block)] = np.take_along_axis(found, order, axis=1)
        similarity[start : start + len(block)] = np.take_along_axis(values, order, axis=1)
    return Neighbours(rows, similarity)


def _by_index(unit: np.ndarray, count: int) -> Neighbours:
    import faiss  # 20 MB that small sets do without

    faiss.omp_set_num_threads(1)  # sums are cut by thread
    cells = round(CELLS_PER_ROOT * math.sqrt(len(unit)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(unit.shape[1]), unit.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe, index.cp.seed, index.cp.niter = CELLS_LOOKED_INTO, 1, 10
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, PHOTOS_PER_CELL_LEARNED
    points = np.ascontiguousarray(unit, np.float32)
    index.train(points)
    index.add(points)
    similarity, rows = index.search(points, count + 1)
    return _without_themselves(rows, similarity)


def _without_themselves(rows: np.ndarray, similarity: np.ndarray) -> Neighbours:
    """Drop each photo from its own neighbours; where it is not among them, the last one, which is the farthest."""
    itself = rows == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return Neighbours(rows[~itself].reshape(shape), similarity[~itself].reshape(shape))
