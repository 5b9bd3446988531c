"""The guard: does a photo look like the known ones? A sum of scores, and what it has to reach.

Distances in the network's features, and the colours and print of the predicted class's own photos fail on different
photos, so that their sum catches more than any of them (decisions 0010 and 0011). `guard_fitting` chooses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meter_pipeline.recognition.scores import FAMILIAR_PRINT, SCORES, Known, Seen

MOST_WHEN_NOT_SURE = 0.90
"""Calibrated confidence that a photo named below `Guard.sure_from` has at most (0013)."""


@dataclass(frozen=True)
class Term:
    """A score of the sum, with its median over known photos that were held out, and their spread below it.

    Of a normal distribution that is the standard deviation. It is the lower side that matters, and there the photos
    near the threshold: measured nearer the middle, a score whose lower side is long outweighs the others.
    """

    score: str
    median: float
    spread: float


@dataclass(frozen=True)
class Guard:
    """What a photo has to reach to be taken for a known type.

    Attributes:
        terms: what is added up.
        threshold: the sum below which a photo is flagged; None: nothing is (too few photos to choose one).
        lowest: standardised scores below are taken for this, so that none decides alone; None: they are as they are.
        class_thresholds: higher thresholds, by the class that a photo is named; of classes with enough held-out photos.
        sure_from: the sum from which on a name may be called sure (over `MOST_WHEN_NOT_SURE`); None: any may.
        class_sure_from: higher ones, by the class that a photo is named; of classes with enough held-out photos.
    """

    terms: tuple[Term, ...]
    threshold: float | None
    lowest: float | None = None
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    sure_from: float | None = None
    class_sure_from: Mapping[str, float] = field(default_factory=dict)

    def threshold_of(self, name: str) -> float | None:
        """Return the sum that a photo named so must reach; None where the guard is off."""
        return self.class_thresholds.get(name, self.threshold)

    def is_sure(self, name: str, score: float) -> bool:
        """Return whether a photo with this sum looks so much like known ones that a name for it may be called sure."""
        limit = self.class_sure_from.get(name, self.sure_from)
        return limit is None or score >= limit

    def score(self, seen: Seen, known: Known) -> np.ndarray:
        """Return the sum, a photo; higher is more like the known ones."""
        return self.deviations(seen, known).sum(axis=0)

    def deviations(self, seen: Seen, known: Known) -> np.ndarray:
        """Return what is added up, terms x photos, in standard deviations from a typical known photo."""
        parts = []
        for term in self.terms:
            deviations = standardised(SCORES[term.score](seen, known), term.median, term.spread, self.lowest)
            parts.append(without_silence(deviations) if term.score == FAMILIAR_PRINT else deviations)
        return np.stack(parts)

    def uses(self, score: str) -> bool:
        """Return whether a score is part of the sum."""
        return any(term.score == score for term in self.terms)

    def as_card(self) -> dict[str, Any]:
        """Return it as the model card keeps it."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Guard:
        """Read it from a model card; one without terms is of a model that compared pretrained embeddings alone."""
        terms = tuple(Term(**term) for term in card.get("terms", [])) or (Term("pretrained similarity", 0.0, 1.0),)
        return cls(
            terms,
            card.get("threshold"),
            card.get("lowest"),
            card.get("class_thresholds", {}),
            card.get("sure_from"),
            card.get("class_sure_from", {}),
        )


def standardised(
    values: np.ndarray, median: np.ndarray | float, spread: np.ndarray | float, lowest: float | None
) -> np.ndarray:
    """Return scores as deviations from the median of known photos; below `lowest` they are that."""
    return np.maximum((values - median) / spread, -np.inf if lowest is None else lowest)


def without_silence(deviations: np.ndarray) -> np.ndarray:
    """Return deviations with 0, as of a typical known photo, where the score says nothing (NaN)."""
    return np.where(np.isnan(deviations), 0.0, deviations)
