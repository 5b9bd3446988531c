"""The guard: does a photo look like the known photos of the class it was given?

A score, and a threshold that is chosen without photos of unknown types.

The score is the similarity of the photo's *pretrained* embedding to the nearest train photos of its predicted class.
Fine-tuned features separate the known classes and give up what tells an unknown type from them; the pretrained ones do
not know the classes and keep it (issue 4's table: AUROC 0.87 against 0.74).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 3
"""Nearest photos of the class whose similarities are averaged."""
FEWEST_FOR_THRESHOLD = 20
"""Train photos with a neighbour of their class, below which no threshold can be chosen and the guard stays off."""


@dataclass(frozen=True)
class GuardScores:
    """What the guard saw.

    Attributes:
        score: mean cosine similarity to the nearest photos of the predicted class, -1 to 1; higher is more like it.
        nearest: row of the most similar reference photo of any class; -1 where there is none.
    """

    score: np.ndarray
    nearest: np.ndarray


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings (photos x dimensions) of length 1, float32; a zero vector stays zero."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.maximum(length, 1e-12)).astype(np.float32)


def guard_scores(
    embeddings: np.ndarray, predicted: np.ndarray, reference: np.ndarray, labels: np.ndarray
) -> GuardScores:
    """Score photos against the reference photos of their predicted classes.

    Args:
        embeddings: pretrained, photos x dimensions; any length.
        predicted: index of the predicted class, a photo.
        reference: L2-normalised pretrained embeddings of the train photos.
        labels: index of the class, a reference photo.
    """
    similarity = normalised(embeddings) @ reference.T if len(embeddings) else np.zeros((0, len(reference)))
    return _scores(similarity, predicted, labels)


def choose_threshold(
    reference: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, known_flagged: float
) -> float | None:
    """Choose the score below which a photo is flagged, from the known photos alone.

    Each train photo is scored against the others of its class, those of its own near-duplicate group left out, since a
    new photo has no near-duplicate among the known ones. The threshold flags `known_flagged` of them.

    Args:
        reference: L2-normalised pretrained embeddings, photos x dimensions.
        labels: index of the class, a photo.
        groups: index of the near-duplicate group, a photo.
        known_flagged: share of the known photos that may be flagged, 0 to 1.

    Returns:
        The threshold; None where too few photos have another of their class to be compared with.
    """
    similarity = reference @ reference.T
    similarity[groups[:, None] == groups[None, :]] = -np.inf
    scores = _scores(similarity, labels, labels).score
    scores = scores[np.isfinite(scores)]
    if len(scores) < FEWEST_FOR_THRESHOLD:
        return None
    return float(np.quantile(scores, known_flagged, method="lower"))


def _scores(similarity: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> GuardScores:
    score = np.full(len(similarity), -np.inf, np.float64)
    for label in np.unique(predicted):
        rows, columns = np.flatnonzero(predicted == label), np.flatnonzero(labels == label)
        if len(columns):
            of_class = np.sort(similarity[np.ix_(rows, columns)], axis=1)[:, ::-1][:, :NEIGHBOURS]
            usable = np.isfinite(of_class)
            total, count = np.where(usable, of_class, 0).sum(axis=1), usable.sum(axis=1)
            score[rows] = np.where(count > 0, total / np.maximum(count, 1), -np.inf)
    nearest = similarity.argmax(axis=1) if similarity.shape[1] else np.full(len(similarity), -1)
    return GuardScores(score, nearest)
