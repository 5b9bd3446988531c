"""Scores of how much a photo looks like the known ones, by logits, embeddings, colours or print; one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from meter_pipeline.recognition.class_gaussians import ClassGaussians
from meter_pipeline.recognition.embeddings import Embeddings, side_by_side
from meter_pipeline.recognition.plate_reading import CODES
from meter_pipeline.recognition.softmax import log_softmax, log_sum_exp, softmax

NEIGHBOURS = 3
"""Nearest photos whose similarities are averaged."""
SOFT_TEMPERATURE = 2.0
"""A softened softmax keeps the order among sure photos apart (ODIN, Liang et al. 2018)."""
GEN_CLASSES, GEN_POWER = 10, 0.1
"""Largest probabilities and exponent of GEN, as published."""
FAMILIAR_COLOURS = "familiar colours"
"""Name of the one score that looks at colours."""
FAMILIAR_PRINT = "familiar print"
"""Name of the one score that needs the plates to be read."""
SPREAD_DOUBLED_AT = 12.0
"""Photos of a class at which the spread of some scores is twice that of a class with many (0017)."""
FEWEST_CODES, FEWEST_READ = 8, 3
"""Fewest codes that a plate is judged by, and fewest photos of a class with that many codes to judge it by."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """The photos that others are compared with, one row per photo.

    Attributes:
        labels: class index of each photo.
        groups: index of each photo's near-duplicate group.
        embeddings: what they are compared by, L2-normalised.
    """

    labels: np.ndarray
    groups: np.ndarray
    embeddings: Embeddings

    @cached_property
    def pretrained_gaussians(self) -> ClassGaussians | None:
        """The classes in pretrained embeddings; None if photos are too few."""
        return self._gaussians(self.embeddings.pretrained)

    @cached_property
    def tuned_gaussians(self) -> ClassGaussians | None:
        """The classes in tuned embeddings; None if photos are too few."""
        return self._gaussians(self.embeddings.tuned)

    @cached_property
    def joint_gaussians(self) -> ClassGaussians | None:
        """The classes in both embeddings side by side; None if photos are too few."""
        return self._gaussians(side_by_side(self.embeddings.tuned, self.embeddings.pretrained))

    def photos_of(self, labels: np.ndarray) -> np.ndarray:
        """Return for each of these class indices how many photos the class has here."""
        return np.bincount(self.labels, minlength=int(labels.max(initial=-1)) + 1)[labels]

    def _gaussians(self, embeddings: np.ndarray) -> ClassGaussians | None:
        return ClassGaussians.fit(embeddings, self.labels) if len(embeddings) > 1 else None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Photos to be scored, one row per photo.

    Attributes:
        logits: photos x classes.
        embeddings: what they are compared by, L2-normalised.
    """

    logits: np.ndarray
    embeddings: Embeddings

    @property
    def predicted(self) -> np.ndarray:
        """Class index of each photo's highest logit."""
        return self.logits.argmax(axis=1)


Score = Callable[[Seen, Known], np.ndarray]


def class_similarity(
    embeddings: np.ndarray, predicted: np.ndarray, known: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the mean cosine similarity to the nearest photos of the predicted class, -1 to 1.

    Args:
        embeddings: L2-normalised, photos x dimensions.
        predicted: index of each photo's predicted class.
        known: L2-normalised, known photos x dimensions.
        labels: class index of each known photo.

    Returns:
        One similarity per photo; -1 where the class has no known photo.
    """
    score = np.full(len(embeddings), -1.0)
    for label in np.unique(predicted):
        rows, columns = np.flatnonzero(predicted == label), np.flatnonzero(labels == label)
        if len(columns):
            score[rows] = _mean_of_largest(_similarities(embeddings[rows], known[columns]))
    return score


def familiar_colours(colours: np.ndarray, predicted: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the share of a photo whose colour goes beyond what any photo of the predicted class shows of it.

    A blue plate on the housing of a white one is another type, and networks trained on ImageNet hardly see it.

    Args:
        colours: shares of the colours, photos x colours.
        predicted: index of each photo's predicted class.
        known: shares of the colours, known photos x colours.
        labels: class index of each known photo.

    Returns:
        One score per photo, -1 to 0: 0 where each colour is within what the class shows; -1 where the class has no
        known photo.
    """
    score = np.full(len(colours), -1.0)
    for label in np.unique(predicted):
        rows, own = np.flatnonzero(predicted == label), known[labels == label]
        if len(own):
            score[rows] = -np.maximum(colours[rows] - own.max(axis=0), 0.0).sum(axis=1)
    return score


def familiar_print(printed: np.ndarray, predicted: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the share of a photo's print that no photo of the predicted class shows, rare print counting more.

    A plate that says THREE PHASE is not of a class whose plates all say SINGLE PHASE, alike as they look.

    Args:
        printed: `plate_reading.plate_codes`, photos x codes.
        predicted: index of each photo's predicted class.
        known: the same codes of known photos.
        labels: class index of each known photo.

    Returns:
        One score per photo, -1 to 0; NaN if too little was read of the photo or of the class.
    """
    score = np.full(len(printed), np.nan)
    shown_by = np.bincount(known[known >= 0], minlength=CODES)
    rarity = np.log1p(len(known) / np.maximum(shown_by, 1))
    for label in np.unique(predicted):
        own = known[labels == label]
        if np.sum((own >= 0).sum(axis=1) >= FEWEST_CODES) < FEWEST_READ:
            continue
        strange = np.ones(CODES, bool)
        strange[own[own >= 0]] = False
        rows = np.flatnonzero((predicted == label) & ((printed >= 0).sum(axis=1) >= FEWEST_CODES))
        codes = np.maximum(printed[rows], 0)
        weights = rarity[codes] * (printed[rows] >= 0)
        score[rows] = -(weights * strange[codes]).sum(axis=1) / weights.sum(axis=1)
    return score


def nearest_known(embeddings: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return for each photo the row of the most similar known photo; -1 where there is none."""
    if not len(known):
        return np.full(len(embeddings), -1)
    return _similarities(embeddings, known).argmax(axis=1)


def _generalized_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return minus the generalized entropy of the largest probabilities (GEN, Liu et al., CVPR 2023)."""
    largest = np.sort(probabilities, axis=1)[:, -GEN_CLASSES:]
    return -np.sum(largest**GEN_POWER * (1 - largest) ** GEN_POWER, axis=1)


def _similarities(embeddings: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of each photo to each known one.

    In double precision: what else stands in a matrix decides on the last bits of a product, and in single precision
    they showed in the decimals that tables keep, so that 100 new photos gave all others new scores.
    """
    return np.asarray(embeddings.astype(np.float64) @ known.astype(np.float64).T)


def _mean_of_largest(similarity: np.ndarray) -> np.ndarray:
    if not similarity.size:
        return np.full(len(similarity), -1.0)
    return np.sort(similarity, axis=1)[:, -NEIGHBOURS:].mean(axis=1)


def _nearness(gaussians: ClassGaussians | None, embeddings: np.ndarray) -> np.ndarray:
    return -gaussians.relative_distance(embeddings) if gaussians is not None else np.zeros(len(embeddings))


def _margin(seen: Seen, _: Known) -> np.ndarray:
    two = np.sort(log_softmax(seen.logits), axis=1)[:, -2:]
    return two[:, -1] - two[:, 0]


SCORES: dict[str, Score] = {
    "softmax": lambda seen, _: softmax(seen.logits).max(axis=1),
    "soft softmax": lambda seen, _: softmax(seen.logits / SOFT_TEMPERATURE).max(axis=1),
    "margin": _margin,
    "max-logit": lambda seen, _: seen.logits.max(axis=1).astype(np.float64),
    "energy": lambda seen, _: log_sum_exp(seen.logits),
    "generalized entropy": lambda seen, _: _generalized_entropy(softmax(seen.logits)),
    "pretrained similarity": lambda seen, known: class_similarity(
        seen.embeddings.pretrained, seen.predicted, known.embeddings.pretrained, known.labels
    ),
    "tuned similarity": lambda seen, known: class_similarity(
        seen.embeddings.tuned, seen.predicted, known.embeddings.tuned, known.labels
    ),
    "pretrained neighbours": lambda seen, known: _mean_of_largest(
        _similarities(seen.embeddings.pretrained, known.embeddings.pretrained)
    ),
    "tuned neighbours": lambda seen, known: _mean_of_largest(
        _similarities(seen.embeddings.tuned, known.embeddings.tuned)
    ),
    "pretrained Mahalanobis": lambda seen, known: _nearness(known.pretrained_gaussians, seen.embeddings.pretrained),
    "tuned Mahalanobis": lambda seen, known: _nearness(known.tuned_gaussians, seen.embeddings.tuned),
    "joint Mahalanobis": lambda seen, known: _nearness(
        known.joint_gaussians, side_by_side(seen.embeddings.tuned, seen.embeddings.pretrained)
    ),
    FAMILIAR_COLOURS: lambda seen, known: familiar_colours(
        seen.embeddings.colours, seen.predicted, known.embeddings.colours, known.labels
    ),
    FAMILIAR_PRINT: lambda seen, known: familiar_print(
        seen.embeddings.printed, seen.predicted, known.embeddings.printed, known.labels
    ),
}
"""By name: softmax (Hendrycks and Gimpel 2017), max-logit (Hendrycks et al. 2022), energy (Liu et al. 2020), GEN;
cosine similarity to the known photos, of the predicted class or of any (Sun et al. 2022); relative Mahalanobis distance
(Ren et al. 2021); colours; and print. Higher is more like the known photos; NaN says nothing."""

_SPREADING = ("pretrained Mahalanobis", "tuned Mahalanobis", "joint Mahalanobis", FAMILIAR_COLOURS, FAMILIAR_PRINT)
DOUBLED_AT: dict[str, float] = dict.fromkeys(_SPREADING, SPREAD_DOUBLED_AT)
"""The scores that spread wider for a class of few photos: its mean is off by more, and its photos show less of what it
can look like. The similarity to the nearest photos hardly does."""


def widening(photos: np.ndarray, doubled_at: np.ndarray | float) -> np.ndarray:
    """Return how many times wider a score spreads for a class of so many photos than for one of very many.

    Args:
        photos: of the class that a photo is named.
        doubled_at: photos at which the spread is doubled; 0: it does not depend on them.
    """
    return 1 + doubled_at / np.maximum(photos, 1)
