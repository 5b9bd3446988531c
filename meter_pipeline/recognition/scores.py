"""Scores of how much a photo looks like the known ones: logits, embeddings, colours, print; one interface for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from meter_pipeline.recognition.class_gaussians import ClassGaussians
from meter_pipeline.recognition.plate_reading import CODES

NEIGHBOURS = 3
"""Nearest photos whose similarities are averaged."""
SOFT_TEMPERATURE = 2.0
"""A softened softmax keeps the order among sure photos apart (ODIN, Liang et al. 2018)."""
GEN_CLASSES, GEN_POWER = 10, 0.1
"""Largest probabilities and exponent of GEN, as published."""
FAMILIAR_COLOURS = "familiar colours"
"""Name of the one score that looks at colours; models from before it have none."""
FAMILIAR_PRINT = "familiar print"
"""Name of the one score that needs the plates to be read."""
FEWEST_CODES, FEWEST_READ = 8, 3
"""Codes below which a plate was not read well enough to be judged, and photos of a class to judge it by."""


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings (photos x dimensions) of length 1, float32; a zero vector stays zero."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.maximum(length, 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class Known:
    """The photos that others are compared with.

    Attributes:
        labels: index of the class, a photo.
        groups: index of the near-duplicate group, a photo.
        pretrained: L2-normalised embeddings before fine-tuning, photos x dimensions.
        tuned: the same after fine-tuning.
        colours: shares of the colours (`colours.colour_shares`), photos x colours.
        printed: what was read on the plates (`plate_reading.plate_codes`), photos x codes.
    """

    labels: np.ndarray
    groups: np.ndarray
    pretrained: np.ndarray
    tuned: np.ndarray
    colours: np.ndarray
    printed: np.ndarray

    @cached_property
    def pretrained_gaussians(self) -> ClassGaussians | None:
        """The classes in pretrained embeddings; None where photos are too few."""
        return self._gaussians(self.pretrained)

    @cached_property
    def tuned_gaussians(self) -> ClassGaussians | None:
        """The classes in tuned embeddings; None where photos are too few."""
        return self._gaussians(self.tuned)

    @cached_property
    def joint_gaussians(self) -> ClassGaussians | None:
        """The classes in both embeddings side by side; None where photos are too few."""
        return self._gaussians(side_by_side(self.tuned, self.pretrained))

    def _gaussians(self, embeddings: np.ndarray) -> ClassGaussians | None:
        return ClassGaussians.fit(embeddings, self.labels) if len(embeddings) > 1 else None


@dataclass(frozen=True)
class Seen:
    """Photos to be scored.

    Attributes:
        logits: photos x classes.
        pretrained: L2-normalised embeddings before fine-tuning, photos x dimensions.
        tuned: the same after fine-tuning.
        colours: shares of the colours (`colours.colour_shares`), photos x colours.
        printed: what was read on the plates (`plate_reading.plate_codes`), photos x codes.
    """

    logits: np.ndarray
    pretrained: np.ndarray
    tuned: np.ndarray
    colours: np.ndarray
    printed: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """Index of the first class, a photo."""
        return self.logits.argmax(axis=1)


Score = Callable[[Seen, Known], np.ndarray]


def class_similarity(
    embeddings: np.ndarray, predicted: np.ndarray, known: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the mean cosine similarity to the nearest photos of the predicted class, -1 to 1.

    Args:
        embeddings: L2-normalised, photos x dimensions.
        predicted: index of the predicted class, a photo.
        known: L2-normalised, known photos x dimensions.
        labels: index of the class, a known photo.

    Returns:
        A similarity a photo; -1 where the class has no photo.
    """
    score = np.full(len(embeddings), -1.0)
    for label in np.unique(predicted):
        rows, columns = np.flatnonzero(predicted == label), np.flatnonzero(labels == label)
        if len(columns):
            score[rows] = _mean_of_largest(embeddings[rows] @ known[columns].T)
    return score


def familiar_colours(colours: np.ndarray, predicted: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return minus the share of a photo whose colour goes beyond what any photo of the predicted class shows of it.

    A blue plate on the housing of a white one is another type, and networks trained on ImageNet hardly see it.

    Args:
        colours: shares of the colours, photos x colours.
        predicted: index of the predicted class, a photo.
        known: shares of the colours, known photos x colours.
        labels: index of the class, a known photo.

    Returns:
        -1 to 0 a photo, 0 where each colour is within what the class shows; -1 where the class has no photo.
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
        predicted: index of the predicted class, a photo.
        known: the same codes of known photos.
        labels: index of the class, a known photo.

    Returns:
        -1 to 0 a photo; NaN where the print says nothing: too little was read of the photo or of the class.
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
    """Return the row of the most similar known photo, a photo; -1 where there is none."""
    if not len(known):
        return np.full(len(embeddings), -1)
    return (embeddings @ known.T).argmax(axis=1)


def generalized_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return minus the generalized entropy of the largest probabilities (GEN, Liu et al., CVPR 2023)."""
    largest = np.sort(probabilities, axis=1)[:, -GEN_CLASSES:]
    return -np.sum(largest**GEN_POWER * (1 - largest) ** GEN_POWER, axis=1)


def _mean_of_largest(similarity: np.ndarray) -> np.ndarray:
    if not similarity.size:
        return np.full(len(similarity), -1.0)
    return np.sort(similarity, axis=1)[:, -NEIGHBOURS:].mean(axis=1)


def side_by_side(tuned: np.ndarray, pretrained: np.ndarray) -> np.ndarray:
    """Return both embeddings of each photo in one row."""
    return np.concatenate([tuned, pretrained], axis=1)


def _nearness(gaussians: ClassGaussians | None, embeddings: np.ndarray) -> np.ndarray:
    return -gaussians.relative_distance(embeddings) if gaussians is not None else np.zeros(len(embeddings))


def _margin(seen: Seen, _: Known) -> np.ndarray:
    two = np.sort(log_softmax(seen.logits, axis=1), axis=1)[:, -2:]
    return two[:, -1] - two[:, 0]


SCORES: dict[str, Score] = {
    "softmax": lambda seen, _: softmax(seen.logits, axis=1).max(axis=1),
    "soft softmax": lambda seen, _: softmax(seen.logits / SOFT_TEMPERATURE, axis=1).max(axis=1),
    "margin": _margin,
    "max-logit": lambda seen, _: seen.logits.max(axis=1).astype(np.float64),
    "energy": lambda seen, _: logsumexp(seen.logits, axis=1),
    "generalized entropy": lambda seen, _: generalized_entropy(softmax(seen.logits, axis=1)),
    "pretrained similarity": lambda seen, known: class_similarity(
        seen.pretrained, seen.predicted, known.pretrained, known.labels
    ),
    "tuned similarity": lambda seen, known: class_similarity(seen.tuned, seen.predicted, known.tuned, known.labels),
    "pretrained neighbours": lambda seen, known: _mean_of_largest(seen.pretrained @ known.pretrained.T),
    "tuned neighbours": lambda seen, known: _mean_of_largest(seen.tuned @ known.tuned.T),
    "pretrained Mahalanobis": lambda seen, known: _nearness(known.pretrained_gaussians, seen.pretrained),
    "tuned Mahalanobis": lambda seen, known: _nearness(known.tuned_gaussians, seen.tuned),
    "joint Mahalanobis": lambda seen, known: _nearness(
        known.joint_gaussians, side_by_side(seen.tuned, seen.pretrained)
    ),
    FAMILIAR_COLOURS: lambda seen, known: familiar_colours(seen.colours, seen.predicted, known.colours, known.labels),
    FAMILIAR_PRINT: lambda seen, known: familiar_print(seen.printed, seen.predicted, known.printed, known.labels),
}
"""By name: softmax (Hendrycks and Gimpel 2017), max-logit (Hendrycks et al. 2022), energy (Liu et al. 2020), GEN, and
cosine similarity to the known photos: of the predicted class, or of any (Sun et al. 2022); relative Mahalanobis
distance (Ren et al. 2021); colours; and print. Higher is more like them; NaN says nothing."""
