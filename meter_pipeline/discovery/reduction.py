"""Fewer dimensions that keep who is near whom: UMAP (McInnes et al. 2018, arXiv:1802.03426), repeatable."""

from __future__ import annotations

import logging
import sys

import numpy as np

_logger = logging.getLogger(__name__)


def reduce_umap(
    unit: np.ndarray, *, dimensions: int, neighbors: int, seed: int, min_distance: float = 0.0
) -> np.ndarray:
    """Return coordinates in which near embeddings are near each other and distant ones are apart.

    Args:
        unit: photos x dimensions, rows of length 1, more rows than `neighbors`.
        dimensions: of the result.
        neighbors: photos that each is compared with, itself included.
        seed: of the layout; the same input and seed give the same bits.
        min_distance: how close two points may lie; 0 to cluster them, more to look at them.

    Returns:
        photos x `dimensions`, float64.
    """
    if "umap" not in sys.modules:
        _logger.info("umap-learn compiles itself, once per process (some 15 s)")
    import umap

    _logger.info("Reducing %d embeddings to %d dimensions", len(unit), dimensions)
    reducer = umap.UMAP(
        n_components=dimensions,
        n_neighbors=neighbors,
        min_dist=min_distance,
        metric="cosine",
        init="pca",
        random_state=seed,
        n_jobs=1,  # several threads race for the coordinates and give another result every time
    )
    return np.asarray(reducer.fit_transform(unit), np.float64)
