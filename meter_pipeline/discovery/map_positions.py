"""Layout in the plane: a place on the map for each UNKNOWN photo, near those that look alike."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.grouping.clustering import different_photos
from meter_pipeline.discovery.reduction import reduce_umap

SMALLEST_LAID_OUT = 10
"""Different photos from which on t-SNE lays them out; of fewer, two principal components show as much."""
SMALLEST_FOR_UMAP = 200
"""Different photos from which on UMAP does: it compiles itself for 15 s first, and places fewer photos worse (0018)."""
MAP_NEIGHBORS = 15
MAP_MIN_DISTANCE = 0.15
"""Photos of one design lie far enough apart to be pointed at."""
LARGEST_FITTED = 20_000
"""Photos laid out by UMAP; of a larger set, the others are put where their nearest three of these are."""
_BLOCK_CELLS = 4096 * LARGEST_FITTED
"""Pairs of photos compared at a time; they take 12 bytes each."""


def map_positions(unit: np.ndarray, *, seed: int) -> np.ndarray:
    """Return a place in the plane for each photo; photos that look alike are near each other.

    UMAP lays out large sets, t-SNE (van der Maaten and Hinton 2008) those with fewer than `SMALLEST_FOR_UMAP` different
    photos, PCA those with fewer than `SMALLEST_LAID_OUT`. The same input and seed give the same bits.

    Args:
        unit: photos x dimensions, L2-normalised.
        seed: of the layout.

    Returns:
        photos x 2, float64, centred; in no unit.
    """
    if len(unit) == 0:
        return np.zeros((0, 2))
    with threadpool_limits(1):
        different = different_photos(unit)
        places = _places(different.unit, seed)
    return (places - places.mean(axis=0))[different.which]


def _places(unit: np.ndarray, seed: int) -> np.ndarray:
    if len(unit) < SMALLEST_LAID_OUT:
        axes = min(2, len(unit) - 1, unit.shape[1])
        places = np.zeros((len(unit), 2))
        if axes:
            places[:, :axes] = PCA(axes, svd_solver="full").fit_transform(unit.astype(np.float64))
        return places
    if len(unit) < SMALLEST_FOR_UMAP:
        perplexity = min(MAP_NEIGHBORS, (len(unit) - 1) / 3)
        layout = TSNE(2, perplexity=perplexity, metric="cosine", method="exact", init="random", random_state=seed)
        return np.asarray(layout.fit_transform(unit), np.float64)
    if len(unit) <= LARGEST_FITTED:
        return _umap(unit, seed)
    chosen = np.sort(np.random.default_rng(seed).choice(len(unit), LARGEST_FITTED, replace=False))
    return beside(unit, unit[chosen], _umap(unit[chosen], seed))


def _umap(unit: np.ndarray, seed: int) -> np.ndarray:
    neighbors = min(MAP_NEIGHBORS, len(unit) - 1)
    return reduce_umap(unit, dimensions=2, neighbors=neighbors, seed=seed, min_distance=MAP_MIN_DISTANCE)


def beside(unit: np.ndarray, fitted: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a place for each photo: the mean of those of the three fitted photos that it looks most like.

    A fitted photo is its own nearest and stays near its place. UMAP's own `transform` begins with the same.

    Args:
        unit: photos x dimensions, L2-normalised.
        fitted: at least three photos that have a place, x the same dimensions.
        places: fitted photos x 2.

    Returns:
        photos x 2.
    """
    found, rows = np.empty((len(unit), 2)), max(1, _BLOCK_CELLS // len(fitted))
    with threadpool_limits(1):  # another number of threads may give other last bits, and so another neighbour
        for start in range(0, len(unit), rows):
            similarity = unit[start : start + rows] @ fitted.T
            nearest = np.argpartition(similarity, -3, axis=1)[:, -3:]
            found[start : start + rows] = places[nearest].mean(axis=1)
    return found
