"""What UNKNOWN photos are compared by: what sets designs apart counts, what varies within known designs does not.

Two things make designs that no training saw lie apart. The photos are centred on the known classes: what all meters
share would make all look alike. And directions along which photos of one known class vary (light, distance, dirt) are
scaled down, those along which they do not are scaled up (0016).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.class_gaussians import principal_directions, rounded
from meter_pipeline.recognition.embeddings import normalised, side_by_side
from meter_pipeline.recognition.plate_reading import CODES
from meter_pipeline.recognition.scores import Known

DIMENSIONS = 128
"""Principal components of known and UNKNOWN photos together; from 64 to 256 it made no difference (0016)."""
MOST_FOR_COMPONENTS = 2000
"""Photos that the components are found from."""
SHRINKAGE = 0.3
"""Share of a round shape in the spread within classes: a few hundred photos do not fill its small directions."""
PRINT_DIMENSIONS = 100
PRINT_WEIGHT = 0.5
"""Length of what a plate says, where that of a look is 1."""
FEWEST_WITH_CODE = 2
"""A code of print that one photo alone shows makes it like no other."""
_BLOCK_ROWS = 10_000


def compared(tuned: np.ndarray, pretrained: np.ndarray, known: Known | None, printed: np.ndarray) -> np.ndarray:
    """Return what UNKNOWN photos are compared by, L2-normalised, photos x at most `DIMENSIONS` and the print.

    Args:
        tuned: embeddings after fine-tuning, photos x dimensions.
        pretrained: embeddings before fine-tuning, photos x dimensions.
        known: the model's train photos; None: they are not there any more, and nothing tells what varies within a
            class.
        printed: codes of what was read on the plates, photos x codes (`plate_reading.plate_codes`).

    Raises:
        MeterError: an embedding holds NaN or infinity, or is all zeros; says how many are.
    """
    if not len(tuned):
        return np.zeros((0, DIMENSIONS), np.float32)
    with threadpool_limits(1):  # another number of threads gives different last bits
        look = _look(side_by_side(checked_unit(tuned), checked_unit(pretrained)), known)
        said = _said(printed)
    return normalised(np.concatenate([look, PRINT_WEIGHT * said], axis=1)) if said.shape[1] else look


def checked_unit(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings (photos x dimensions) of length 1, float32.

    Raises:
        MeterError: an embedding holds NaN or infinity, or is all zeros; says how many are.
    """
    unit = np.zeros(embeddings.shape, np.float32)
    broken, empty = np.zeros(len(unit), bool), np.zeros(len(unit), bool)
    for start in range(0, len(unit), _BLOCK_ROWS):  # in double precision a million photos would not fit
        rows = slice(start, start + _BLOCK_ROWS)
        block = embeddings[rows].astype(np.float64)
        broken[rows] = ~np.isfinite(block).all(axis=1)
        lengths = np.linalg.norm(np.where(broken[rows, None], 0.0, block), axis=1, keepdims=True)
        empty[rows] = ~broken[rows] & (lengths[:, 0] == 0)
        unit[rows] = block / np.where(lengths == 0, 1.0, lengths)
    if broken.any() or empty.any():
        first = int(np.flatnonzero(broken | empty)[0])
        raise MeterError(
            f"{broken.sum()} of {len(embeddings)} embeddings hold NaN or infinity and {empty.sum()} are all zeros "
            f"(the first is row {first}).",
            where="unknown_embeddings",
            fix="The model that made them is broken: look at its evaluation, and train again.",
        )
    return unit


def _look(joint: np.ndarray, known: Known | None) -> np.ndarray:
    """Return the look of photos, L2-normalised, from both embeddings side by side (photos x dimensions)."""
    if known is None:
        pool = _some(joint).astype(np.float64)
        axes = principal_directions(pool, DIMENSIONS).T if len(pool) > DIMENSIONS else np.eye(joint.shape[1])
        return _project(joint, axes, 0.0)
    reference = side_by_side(known.embeddings.tuned, known.embeddings.pretrained)
    pool = np.concatenate([_some(reference), _some(joint)]).astype(np.float64)
    directions = principal_directions(pool - pool.mean(axis=0), DIMENSIONS)
    means = np.stack([reference[known.labels == label].mean(axis=0) for label in np.unique(known.labels)])
    scaling = _within_classes_alike(reference @ directions.T.astype(np.float32), known.labels)
    centre = means.mean(axis=0)
    return _project(joint, directions.T @ scaling, centre)


def _project(joint: np.ndarray, projection: np.ndarray, centre: np.ndarray | float) -> np.ndarray:
    """Return photos less the centre on other axes (dimensions x axes), L2-normalised."""
    look, axes = np.empty((len(joint), projection.shape[1]), np.float32), projection.astype(np.float32)
    for start in range(0, len(joint), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        look[rows] = normalised((joint[rows] - np.float32(centre)) @ axes)
    return look


def _some(embeddings: np.ndarray) -> np.ndarray:
    """Return evenly taken rows, at most half of `MOST_FOR_COMPONENTS`."""
    return embeddings[:: math.ceil(2 * len(embeddings) / MOST_FOR_COMPONENTS)]


def _within_classes_alike(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the square matrix that makes photos of one class vary alike in every direction."""
    points = points.astype(np.float64)
    classes, places = np.unique(labels, return_inverse=True)
    means = np.stack([points[places == place].mean(axis=0) for place in range(len(classes))])
    deviations = points - means[places]
    values, vectors = eigh(rounded(deviations.T @ deviations / len(points), SHRINKAGE))
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-12)))


def _said(printed: np.ndarray) -> np.ndarray:
    """Return what the plates say, photos x at most `PRINT_DIMENSIONS`, of length 0 (nothing was read) to 1.

    Latent semantic indexing (Deerwester et al. 1990) of the codes: TF-IDF, then the largest singular vectors.
    """
    rows, places = np.nonzero(printed >= 0)
    counts = csr_array((np.ones(len(rows)), (rows, printed[rows, places])), shape=(len(printed), CODES))
    counts = counts[:, np.bincount(counts.indices, minlength=CODES) >= FEWEST_WITH_CODE]
    dimensions = min(PRINT_DIMENSIONS, *counts.shape)
    if dimensions < 1:
        return np.zeros((len(printed), 0), np.float32)
    weights = TfidfTransformer().fit_transform(counts)
    left, values, _ = randomized_svd(weights, dimensions, random_state=0)
    return np.asarray(left * values, np.float32)
