"""Where the guard's limits lie: as high as the known photos that were held out allow; some classes have their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.training.held_out import LOWEST

SURENESS = 0.90
"""Chance that no more known photos are flagged than asked for, as far as the held-out ones speak for new ones."""
NOT_SURE = 2.0
"""Share of held-out known photos that are not called sure, in shares that may be flagged: as many again (0013)."""

TAUGHT_REACH = 2.0
"""A photo named as a class that people have just taught may lie so many times as far from known photos as others may.

Photos of such a class were found by being alike; further ones lie wider (0019)."""


@dataclass(frozen=True)
class Allowance:
    """How many known photos the guard may flag, and which limits that leaves.

    Attributes:
        known_flagged: share of known photos that may be flagged, 0 to 1.
    """

    known_flagged: float

    def threshold(self, score: np.ndarray, unsure: np.ndarray) -> float:
        """Return the sum that, with the softmax rule, flags at most the allowed share of known photos.

        It does so with the chance `SURENESS`; few photos cannot make sure, and their lowest sum is the threshold.

        Args:
            score: the sum of each known photo that was held out.
            unsure: whether the softmax rule flags the photo.

        Returns:
            The threshold; -infinity where the softmax rule alone flags enough.
        """
        ordered = np.sort(np.where(unsure, -np.inf, score))
        return float(ordered[max(self._surely_below(len(ordered)), 1) - 1])

    def lowest_sure(self, score: np.ndarray) -> float:
        """Return the sum from which on a name may be called sure, from the sums of held-out known photos."""
        return float(np.quantile(score, min(NOT_SURE * self.known_flagged, 1.0)))

    def is_measured_by(self, photos: int) -> bool:
        """Return whether the lowest of this many held-out photos says where few new ones are."""
        return self._surely_below(photos) > 0

    def _surely_below(self, count: int) -> int:
        """Return the rank, from 1 for the lowest, of the photo with surely at most the allowed share of new ones below.

        The share of new photos below the k-th of `count` is distributed as beta(k, count + 1 - k). 0: not even the
        lowest one has that few below.
        """
        ranks = np.arange(1, count + 1)
        return int(np.sum(beta.cdf(self.known_flagged, ranks, count + 1 - ranks) >= SURENESS))


@dataclass(frozen=True, kw_only=True)
class KnownSums:
    """Known photos that were held out and named rightly, one row per photo.

    Attributes:
        predicted: name of the class that the photo was given.
        score: the sum of its scores.
        unsure: whether the softmax rule flags it.
    """

    predicted: np.ndarray
    score: np.ndarray
    unsure: np.ndarray


def guard_with_limits(
    terms: Sequence[Term], known: KnownSums, allowance: Allowance, taught: Collection[str] = ()
) -> Guard:
    """Return the guard for a sum of scores, its limits set on known photos that were held out.

    Classes whose photos all score high get limits of their own: by the common ones unknown types would pass as such
    a class, and would be called sure.

    Args:
        terms: what is added up.
        known: the photos.
        allowance: how many of them may be flagged.
        taught: classes that few photos show, all of them named by people in clusters.

    Returns:
        The guard; off (no threshold, and all names sure) where the softmax rule alone flags enough.
    """
    threshold = allowance.threshold(known.score, known.unsure)
    if not np.isfinite(threshold):
        return Guard(terms=tuple(terms), threshold=None, lowest=LOWEST)
    sure_from = allowance.lowest_sure(known.score)
    by_class = dict(_classes_with_own_limits(known, allowance))
    wider = {name: min(threshold, TAUGHT_REACH * threshold) for name in sorted(taught)}
    thresholds = {name: allowance.threshold(own, np.zeros(len(own), bool)) for name, own in by_class.items()}
    lowest_sure = {name: allowance.lowest_sure(own) for name, own in by_class.items()}
    return Guard(
        terms=tuple(terms),
        threshold=threshold,
        lowest=LOWEST,
        class_thresholds=wider | {name: own for name, own in thresholds.items() if own > threshold},
        sure_from=sure_from,
        class_sure_from={name: own for name, own in lowest_sure.items() if own > sure_from},
    )


def _classes_with_own_limits(known: KnownSums, allowance: Allowance) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the sums of the photos given each class, for classes with enough of them."""
    for name in sorted(set(known.predicted)):
        own = known.score[known.predicted == name]
        if allowance.is_measured_by(len(own)):
            yield str(name), own
