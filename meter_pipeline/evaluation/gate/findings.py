"""What the gate finds, as values: which criterion, what was measured, what it may be, and what that leads to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import binomtest, permutation_test

from meter_pipeline.labels import Outcome

SIGNIFICANCE = 0.05
"""A difference that chance makes less often than this is one."""
FEWEST_THAT_COUNT = 3
"""Photos below which nothing is held for a share that is over its limit: one or two photos prove nothing."""
ROUNDING = 1e-9
"""Two shares that differ by less are the same."""
_WORST_FIRST = (Outcome.REFUSED, Outcome.HELD, Outcome.ACCEPTED)


class Criterion(StrEnum):
    """What a finding is about."""

    RECALL = "macro recall on old classes"
    SIGN_TEST = "photos from right to wrong"
    CLASS_LOSS = "a class that loses photos"
    CLASS_FORGOTTEN = "a class that is forgotten"
    DROPPED_CLASSES = "classes that are no longer known"
    UNCOMPARED = "macro recall without a comparison"
    FEW_PHOTOS = "too few test photos"
    NEW_CLASS = "recall of a new class"
    NEW_CLASS_UNMEASURED = "a new class with too few photos"
    NEW_NAMES = "old photos with new names"
    KNOWN_FLAGGED = "known photos sent to UNKNOWN"
    HIDDEN_CAUGHT = "hidden classes caught"
    HIDDEN_UNMEASURED = "hidden classes not measured"
    GUARD_OFF = "the guard is off"
    JUNK_CAUGHT = "junk caught"
    REJECTED = "rejected names that come back"
    CONTRADICTED = "a person's names contradicted"
    NAMES_CHANGED = "names changed in the last drops"
    UNKNOWN_NAMED = "UNKNOWN photos named in the last drops"
    ROLLED_BACK = "rolled back before"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the gate found.

    Attributes:
        criterion: what it is about.
        outcome: what it leads to; `accepted` is a remark.
        value: what was measured of the challenger: a share (0 to 1), a change of shares, or a number of photos; None
            where it was not measured.
        before: the same of the champion; None where it does not have it.
        limit: what the value may be; None where the criterion has none.
        count: photos that it is about.
        photos: photos that were looked at.
        names: classes that it is about, or pairs of names, or who and when.
    """

    criterion: Criterion
    outcome: Outcome
    value: float | None = None
    before: float | None = None
    limit: float | None = None
    count: int = 0
    photos: int = 0
    names: tuple[str, ...] = ()


def worst(findings: Iterable[Finding]) -> Outcome:
    """Return the worst outcome that the findings lead to; accepted if there are none."""
    outcomes = {finding.outcome for finding in findings}
    return next((outcome for outcome in _WORST_FIRST if outcome in outcomes), Outcome.ACCEPTED)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with those first that lead to the worst outcome; otherwise their order stays."""
    return sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.outcome))


def is_clearly_worse(worse: int, better: int) -> bool:
    """Return whether more photos got worse than better, by an exact two-sided sign test.

    Args:
        worse: photos that got worse.
        better: photos that got better.
    """
    return worse > better and float(binomtest(worse, worse + better).pvalue) < SIGNIFICANCE


def is_clearly_over(count: int, photos: int, share: float) -> bool:
    """Return whether so many photos of so many are over a share, by an exact one-sided binomial test."""
    return photos > 0 and float(binomtest(count, photos, share, alternative="greater").pvalue) < SIGNIFICANCE


def is_clearly_lower(values: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether values are lower than others in the mean, by a one-sided permutation test of the pairs.

    Args:
        values: of the same things, in their order, as `others`; two at least.
        others: what they are compared with.
    """
    found = permutation_test(
        (np.array(values), np.array(others)),
        lambda now, before, axis: np.mean(now - before, axis=axis),
        permutation_type="samples",
        alternative="less",
        vectorized=True,
        rng=0,
    )
    return float(found.pvalue) < SIGNIFICANCE


def is_over(count: int, photos: int, share: float) -> bool:
    """Return whether so many photos of so many are more than a share, and enough of them to count."""
    return count >= FEWEST_THAT_COUNT and count > share * photos + ROUNDING
