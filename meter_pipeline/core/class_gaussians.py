"""How far a photo lies from the classes in embedding space, where each is a Gaussian of one common shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ShrunkCovariance
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

DIMENSIONS = 128
"""Principal components that distances are measured in."""
MOST_FOR_COMPONENTS = 4000
"""Photos that the components are found from; more make them no better, and a process wait at its first photo."""
SHRINKAGE = 0.1
"""Share of a round shape in a covariance: a few hundred photos do not fill its small directions."""

ROUNDER = 0.22
"""The same for `whitened`, on top (0.3 in all): designs never seen differ in directions that the known ones lack."""


@dataclass(frozen=True)
class ClassGaussians:
    """Gaussians fitted to known photos.

    Attributes:
        components: from embeddings to principal components.
        class_means: classes x components.
        within: covariance of photos about the mean of their class.
        overall: covariance of all photos.
    """

    components: PCA
    class_means: np.ndarray
    within: ShrunkCovariance
    overall: ShrunkCovariance

    @classmethod
    def fit(cls, embeddings: np.ndarray, labels: np.ndarray) -> ClassGaussians:
        """Fit them to at least two known photos.

        Args:
            embeddings: L2-normalised, photos x dimensions.
            labels: index of the class, a photo.
        """
        # Another number of threads gives other last bits; copies of one photo alone have no variance to divide by.
        with threadpool_limits(1), np.errstate(invalid="ignore"):
            some = embeddings[:: math.ceil(len(embeddings) / MOST_FOR_COMPONENTS)].astype(np.float64)
            components = PCA(min(DIMENSIONS, len(some) - 1, some.shape[1]), random_state=0).fit(some)
            points = components.transform(embeddings.astype(np.float64))
            classes, places = np.unique(labels, return_inverse=True)
            means = np.stack([points[places == place].mean(axis=0) for place in range(len(classes))])
            within = ShrunkCovariance(assume_centered=True, shrinkage=SHRINKAGE).fit(points - means[places])
            overall = ShrunkCovariance(assume_centered=True, shrinkage=SHRINKAGE).fit(points)
        return cls(components, means, within, overall)

    def whitened(self, embeddings: np.ndarray) -> np.ndarray:
        """Return points in which photos of one class vary alike in every direction, photos x components, length 1.

        What varies within known designs (light, distance, dirt) counts little, also between designs never seen.
        """
        with threadpool_limits(1):
            size = len(self.within.covariance_)
            round_part = np.trace(self.within.covariance_) / size * np.eye(size)
            shape = (1 - ROUNDER) * self.within.covariance_ + ROUNDER * round_part
            values, vectors = np.linalg.eigh(shape)
            points = self.components.transform(embeddings.astype(np.float64)) @ vectors
            return normalize(points / np.sqrt(np.maximum(values, 1e-12))).astype(np.float32)

    def relative_distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the squared distance to the nearest class less that to the photos as a whole, a photo.

        Relative Mahalanobis distance (Ren et al. 2021): what makes all photos of a kind unusual, as light does, takes
        them away from every class and from the whole alike, and is no sign of another class.
        """
        if not len(embeddings):
            return np.zeros(0)
        with threadpool_limits(1):
            points = self.components.transform(embeddings.astype(np.float64))
            to_classes = np.stack([self.within.mahalanobis(points - mean) for mean in self.class_means])
            return np.asarray(to_classes.min(axis=0) - self.overall.mahalanobis(points))
