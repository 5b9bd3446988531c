"""Embeddings as a network might give them: photos of one design lie together, photos of nothing anywhere."""

from __future__ import annotations

import numpy as np

from meter_pipeline.labels import NOISE

DESIGNS, PHOTOS_PER_DESIGN, DIMENSIONS = 6, 20, 64


def drawn_embeddings(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return photos of some designs, each scattered around its own direction, and 12 photos of nothing.

    Returns:
        The embeddings, photos x dimensions, and the design of each photo, -1 for photos of nothing.
    """
    random = np.random.default_rng(seed)
    centres = random.normal(size=(DESIGNS, DIMENSIONS))
    truth = np.repeat(np.arange(DESIGNS), PHOTOS_PER_DESIGN)
    photos = centres[truth] + 0.5 * random.normal(size=(len(truth), DIMENSIONS))
    junk = random.normal(size=(12, DIMENSIONS))
    return np.concatenate([photos, junk]).astype(np.float32), np.concatenate([truth, np.full(12, NOISE)])
