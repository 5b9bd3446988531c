"""How far a photo lies from the classes in embedding space, where each is a Gaussian of one common shape.

Arrays and SciPy alone: the dashboard answers photos with it, and scikit-learn would add 70 MB to its process.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.linalg import eigh, pinvh
from threadpoolctl import ThreadpoolController

DIMENSIONS = 128
"""Principal components that distances are measured in."""
MOST_FOR_COMPONENTS = 2000
"""Photos that the components are found from; more do not improve them, and delay a process's first photo."""
SHRINKAGE = 0.1
"""Share of a round shape in a covariance: a few hundred photos do not fill its small directions."""


@dataclass(frozen=True)
class ClassGaussians:
    """Gaussians fitted to known photos.

    Attributes:
        centre: mean of the photos, dimensions.
        components: principal directions, components x dimensions.
        class_means: classes x components.
        within: covariance of photos about the mean of their class, components x components, shrunk to a round shape.
        overall: covariance of all photos, likewise.
    """

    centre: np.ndarray
    components: np.ndarray
    class_means: np.ndarray
    within: np.ndarray
    overall: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, labels: np.ndarray) -> ClassGaussians:
        """Fit them to at least two known photos.

        Args:
            embeddings: L2-normalised, photos x dimensions.
            labels: class index of each photo.
        """
        with _one_thread():
            some = embeddings[:: math.ceil(len(embeddings) / MOST_FOR_COMPONENTS)].astype(np.float64)
            centre = some.mean(axis=0)
            components = principal_directions(some - centre, DIMENSIONS)
            points = (embeddings.astype(np.float64) - centre) @ components.T
            classes, places = np.unique(labels, return_inverse=True)
            means = np.stack([points[places == place].mean(axis=0) for place in range(len(classes))])
            within = rounded(_covariance(points - means[places]), SHRINKAGE)
            return cls(centre, components, means, within, rounded(_covariance(points), SHRINKAGE))

    def relative_distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Return for each photo its squared distance to the nearest class less that to the photos as a whole.

        Relative Mahalanobis distance (Ren et al. 2021): what makes photos unusual without being a sign of another
        class, as light does, takes them away from every class and from the whole alike.
        """
        if not len(embeddings):
            return np.zeros(0)
        with _one_thread():
            points = self._points(embeddings)
            to_classes = np.stack([_squared_length(points - mean, self._within) for mean in self.class_means])
            return np.asarray(to_classes.min(axis=0) - _squared_length(points, self._overall))

    def discriminant(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (classes x dimensions) and bias (classes) that make log-odds of the classes from embeddings.

        Linear discriminant analysis, no class more common than another: half the squared distance to each class with
        the opposite sign, less what is the same for all classes. Zeros where no photo differs from others of its class.
        """
        with _one_thread():
            directions = self.class_means @ self._within
            weights = directions @ self.components
            bias = -weights @ self.centre - (directions * self.class_means).sum(axis=1) / 2
            return weights - weights.mean(axis=0), bias - bias.mean()

    @cached_property
    def _within(self) -> np.ndarray:
        """Inverse of the covariance about the classes' means."""
        return np.asarray(pinvh(self.within))

    @cached_property
    def _overall(self) -> np.ndarray:
        """Inverse of the covariance of all photos."""
        return np.asarray(pinvh(self.overall))

    def _points(self, embeddings: np.ndarray) -> np.ndarray:
        return (embeddings.astype(np.float64) - self.centre) @ self.components.T


def principal_directions(centred: np.ndarray, most: int) -> np.ndarray:
    """Return up to `most` directions of largest variance, one per row; zeros where nothing varies along one.

    Args:
        centred: photos x dimensions, their mean taken away.
        most: directions at most; there are no more than photos less one, or dimensions.
    """
    photos, dimensions = centred.shape
    count, side = min(most, photos - 1, dimensions), min(photos, dimensions)
    largest = (side - count, side - 1)
    if dimensions <= photos:
        values, vectors = eigh(centred.T @ centred, subset_by_index=largest)
        directions = vectors.T
    else:  # of few photos the products of photos are fewer than those of dimensions, and hold the same directions
        values, vectors = eigh(centred @ centred.T, subset_by_index=largest)
        directions = vectors.T @ centred
    varies = values > 1e-12 * max(values[-1], 1e-12)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.where(varies[:, None], directions / np.where(lengths == 0, 1.0, lengths), 0.0)


def _one_thread() -> AbstractContextManager[object]:
    """Let the libraries of linear algebra compute on one thread: another number gives different last bits."""
    return _controller().limit(limits=1)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _covariance(deviations: np.ndarray) -> np.ndarray:
    return np.asarray(deviations.T @ deviations / len(deviations))


def rounded(covariance: np.ndarray, share: float) -> np.ndarray:
    """Mix in a round shape of the same size (shrinkage as in Ledoit and Wolf 2004, with a fixed share)."""
    size = len(covariance)
    return (1 - share) * covariance + share * np.trace(covariance) / size * np.eye(size)


def _squared_length(points: np.ndarray, precision: np.ndarray) -> np.ndarray:
    return np.einsum("ij,jk,ik->i", points, precision, points, optimize=True)
