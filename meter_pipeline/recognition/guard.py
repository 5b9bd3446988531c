"""The guard: does a photo look like the known ones? A sum of scores, and what it has to reach.

Distances in the network's features, and the colours and print of the predicted class's own photos fail on different
photos, so that their sum catches more than any of them (decisions 0010 and 0011). `training.guard_fitting` chooses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meter_pipeline.recognition.scores import FAMILIAR_PRINT, SCORES, Known, Seen, widening

MOST_WHEN_NOT_SURE = 0.90
"""Calibrated confidence that a photo named below `Guard.sure_from` has at most (0013)."""


@dataclass(frozen=True)
class Term:
    """A score of the sum, with its median over known photos that were held out, and their spread below the median.

    Of a normal distribution that spread is the standard deviation. The lower side matters, and on it the photos near
    the threshold: measured nearer the middle, a score whose lower side is long would outweigh the others.

    Attributes:
        score: its name.
        median: of known photos.
        spread: of known photos of a class that many photos show.
        doubled_at: photos of a class at which it is twice that (`scores.widening`); 0: it is the same for all classes.
    """

    score: str
    median: float
    spread: float
    doubled_at: float = 0.0


@dataclass(frozen=True)
class Guard:
    """What a photo has to reach to be taken for a known type.

    Attributes:
        terms: what is added up.
        threshold: the sum below which a photo is flagged; None: no photo is (too few photos to choose one).
        lowest: lower standardised scores are raised to this, so that none decides alone; None: they stay as they are.
        class_thresholds: other thresholds, by the class that a photo is named: higher ones of classes with enough
            held-out photos, lower ones of classes that people have just taught.
        sure_from: the sum from which on a name may be called sure (over `MOST_WHEN_NOT_SURE`); None: any name may.
        class_sure_from: higher ones, by the class that a photo is named; of classes with enough held-out photos.
    """

    terms: tuple[Term, ...]
    threshold: float | None
    lowest: float | None = None
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    sure_from: float | None = None
    class_sure_from: Mapping[str, float] = field(default_factory=dict)

    def threshold_of(self, name: str) -> float | None:
        """Return the sum that a photo of this name has to reach; None if the guard is off."""
        return self.class_thresholds.get(name, self.threshold)

    def is_sure(self, name: str, score: float) -> bool:
        """Return whether a photo with this sum looks so much like known ones that a name for it may be called sure."""
        limit = self.sure_limit_of(name)
        return limit is None or score >= limit

    def sure_limit_of(self, name: str) -> float | None:
        """Return the sum from which on a photo of this name may be called sure; None: any may."""
        return self.class_sure_from.get(name, self.sure_from)

    def flags(self, name: str, score: float) -> bool:
        """Return whether a photo that is named so looks too little like known ones, by its sum."""
        threshold = self.threshold_of(name)
        return threshold is not None and score < threshold

    def deviations(self, seen: Seen, known: Known) -> np.ndarray:
        """Return what is added up, terms x photos, in standard deviations from a typical known photo.

        The sum over the terms is a photo's score; higher is more like the known photos of the class it is named.
        """
        parts, photos_of_class = [], known.photos_of(seen.predicted)
        for term in self.terms:
            spread = term.spread * widening(photos_of_class, term.doubled_at)
            deviations = standardised(SCORES[term.score](seen, known), term.median, spread, self.lowest)
            parts.append(without_silence(deviations) if term.score == FAMILIAR_PRINT else deviations)
        return np.stack(parts)

    def uses(self, score: str) -> bool:
        """Return whether a score is part of the sum."""
        return any(term.score == score for term in self.terms)

    def as_card(self) -> dict[str, Any]:
        """Return the guard as the model card keeps it."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Guard:
        """Read it from what the model card says of the guard, of which it is a part."""
        return cls(
            terms=tuple(Term(**term) for term in card["terms"]),
            threshold=card["threshold"],
            lowest=card["lowest"],
            class_thresholds=card["class_thresholds"],
            sure_from=card["sure_from"],
            class_sure_from=card["class_sure_from"],
        )


def standardised(
    values: np.ndarray, median: np.ndarray | float, spread: np.ndarray | float, lowest: float | None
) -> np.ndarray:
    """Return scores as deviations from the median of known photos, in spreads; lower ones are raised to `lowest`."""
    return np.maximum((values - median) / spread, -np.inf if lowest is None else lowest)


def without_silence(deviations: np.ndarray) -> np.ndarray:
    """Return deviations with 0, as of a typical known photo, where the score says nothing (NaN)."""
    return np.where(np.isnan(deviations), 0.0, deviations)
