"""A photo that is plainly known on the view of the whole needs no closer views: when that holds.

The limits are chosen on photos that were held out (`training.early_exit_fitting`) and stand on the model's card, with
how many photos they concern and how often the answer was another one there (0023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.scores import Known, Seen
from meter_pipeline.recognition.softmax import softmax

DARK_LUMA = 25.0
"""Mean luma of the view of the whole, 0 to 255, below which a photo gets no closer views: it is DARK by the default of
`dark_brightness`, whatever they show."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in luma (ITU-R 601), as in `photos.quality`."""


@dataclass(frozen=True, kw_only=True)
class EarlyExit:
    """What a photo has to reach on the view of the whole to need no closer ones.

    Attributes:
        confidence: softmax of its best class, at least.
        margin: how far its guard score lies above the sum from which on a name of this class may be called sure, at
            least; in standard deviations of known photos.
    """

    confidence: float
    margin: float

    def is_plain(self, seen: Seen, known: Known, guard: Guard, classes: list[str]) -> np.ndarray:
        """Return for each photo whether it is plainly known, as a mask.

        Args:
            seen: what the network made of the views of the whole.
            known: the model's train photos.
            guard: the model's guard.
            classes: the model's classes.
        """
        confident = softmax(seen.logits.astype(np.float64)).max(axis=1) >= self.confidence
        if not confident.any():
            return confident
        scores = guard.deviations(seen, known).sum(axis=0)
        return confident & (margins(scores, [classes[index] for index in seen.predicted], guard) >= self.margin)

    def as_card(self) -> dict[str, Any]:
        """Return it as the model card keeps it."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Self | None:
        """Read it from what the model card says of it; None where every photo gets all views."""
        return cls(confidence=card["confidence"], margin=card["margin"]) if "margin" in card else None


def margins(scores: np.ndarray, names: list[str], guard: Guard) -> np.ndarray:
    """Return how far guard scores lie above what a photo of that name has to reach to be called sure.

    Args:
        scores: one per photo.
        names: the class that each photo is named.
        guard: the guard; where it sets no limit at all, no photo lies above one.
    """
    limits = [
        max(
            (limit for limit in (guard.threshold_of(name), guard.sure_limit_of(name)) if limit is not None),
            default=None,
        )
        for name in names
    ]
    return np.array([-np.inf if limit is None else score - limit for score, limit in zip(scores, limits, strict=True)])


def is_dark(pixels: np.ndarray) -> bool:
    """Return whether a view (side x side x 3, uint8) is so dark that closer ones are not looked at."""
    return bool(pixels.reshape(-1, 3).mean(axis=0) @ _LUMA < DARK_LUMA)
