"""The guard: does a photo look like the known ones? A sum of scores, and a threshold found without unknown types.

Logits, the similarity to the predicted class's own photos and their colours fail on different photos, so that their sum
catches more than any of them (0010-recognition.md). Which sum, and what it catches, is measured on classes that were
hidden in turn (`cross_fitting`); the threshold is set on known photos that were held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import beta

from meter_pipeline.core.colours import COLOURS
from meter_pipeline.core.scores import FAMILIAR_COLOURS, SCORES, Known, Seen, class_similarity

CANDIDATES: tuple[tuple[str, ...], ...] = (
    ("tuned Mahalanobis", "joint Mahalanobis", "pretrained similarity", FAMILIAR_COLOURS),
    ("tuned Mahalanobis", "joint Mahalanobis", "pretrained similarity"),
    ("tuned Mahalanobis", "pretrained Mahalanobis", "joint Mahalanobis", "pretrained similarity", FAMILIAR_COLOURS),
    ("generalized entropy", "max-logit", "pretrained similarity", "tuned similarity", FAMILIAR_COLOURS),
    ("generalized entropy", "max-logit", "pretrained similarity", "tuned similarity"),
    ("soft softmax", "pretrained similarity"),
    ("max-logit", "pretrained similarity"),
)
"""Sums of scores, the default first: another one is taken where it catches clearly more of the hidden classes. All hold
the pretrained similarity, without which junk passes."""
CLEARLY_MORE = 0.03
OWN = -1
"""Number that stands for a fold where photos were held out from the model itself."""
SMALLEST_SPREAD, SMALLEST_SPREAD_OF_COLOURS = 1e-6, 0.01
"""Below these a spread is taken for these: of colours, a hundredth of the photo's area."""
LOW_QUANTILE, DEVIATIONS_BELOW = 0.05, 1.645
"""Of a normal distribution this quantile lies that many standard deviations below the median."""
LOWEST = -8.0
"""See `Guard.lowest`: one odd reflection must not outweigh all that speaks for a class."""
SURENESS = 0.90
"""Chance that no more known photos are flagged than asked for, as far as the held-out ones speak for new ones."""
FEWEST_HELD_OUT = 40
"""Held-out known photos below which they set no threshold."""
FEWEST_OF_A_FOLD = 10
"""Held-out known photos below which a fold is left out: its scores have no measure."""
FEWEST_FOR_SIMILARITY = 20
"""Train photos with another group of their class, below which no threshold can be chosen and the guard is off."""
SOFTMAX_RULE = 0.50
"""A photo whose first softmax is below is flagged in any case; it counts towards the share that may be flagged."""


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
    """

    terms: tuple[Term, ...]
    threshold: float | None
    lowest: float | None = None
    class_thresholds: Mapping[str, float] = field(default_factory=dict)

    def threshold_of(self, name: str) -> float | None:
        """Return the sum that a photo named so must reach; None where the guard is off."""
        return self.class_thresholds.get(name, self.threshold)

    def score(self, seen: Seen, known: Known) -> np.ndarray:
        """Return the sum, a photo; higher is more like the known ones."""
        total = np.zeros(len(seen.logits))
        for term in self.terms:
            total += _standardised(SCORES[term.score](seen, known), term.median, term.spread, self.lowest)
        return total

    def as_card(self) -> dict[str, Any]:
        """Return it as the model card keeps it."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Guard:
        """Read it from a model card; one without terms is of a model that compared pretrained embeddings alone."""
        terms = tuple(Term(**term) for term in card.get("terms", [])) or (Term("pretrained similarity", 0.0, 1.0),)
        return cls(terms, card.get("threshold"), card.get("lowest"), card.get("class_thresholds", {}))


@dataclass(frozen=True)
class FittedGuard:
    """A guard, and what is known of how it does.

    Attributes:
        guard: the guard.
        held_out: the photos it was fitted on, with their sum as `guard_score`.
        hidden_caught: share of the photos of hidden classes that it flags, 0 to 1; None where none was hidden.
        known_flagged: the same of the known photos held out.
        tried: sum of scores (joined by +), and each score alone, to the share of hidden classes it catches.
        note: what a person should know; empty where nothing is special.
    """

    guard: Guard
    held_out: pd.DataFrame
    hidden_caught: float | None = None
    known_flagged: float | None = None
    tried: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def summary(self) -> str:
        """What it does, in a sentence for people; empty where that was not measured."""
        if self.hidden_caught is None or self.known_flagged is None:
            return ""
        return (
            f"Of types it was never shown, it caught {self.hidden_caught:.0%}; "
            f"of known photos it sent {self.known_flagged:.0%} to review."
        )


def held_out_rows(
    seen: Seen,
    known: Known,
    labels: np.ndarray,
    *,
    image_ids: Sequence[str],
    classes: Sequence[str],
    outputs: Sequence[str],
    fold: int,
) -> pd.DataFrame:
    """Return a row a photo that a model was not shown: what it is, and all scores.

    Args:
        seen: what the model said.
        known: the model's train photos.
        labels: index of the photo's class among the model's; -1 where that class was hidden from it.
        image_ids: the photos.
        classes: name of the photo's class, a photo.
        outputs: names of the model's classes.
        fold: number of the fold; -1 for the model itself.

    Returns:
        Columns image_id, class, predicted, fold, hidden, correct, confidence (softmax of the first, 0 to 1) and the
        `SCORES`.
    """
    rows = pd.DataFrame({"image_id": list(image_ids), "class": list(classes), "fold": fold, "hidden": labels < 0})
    rows["predicted"] = np.asarray(outputs, dtype=object)[seen.predicted] if len(labels) else None
    rows["correct"] = seen.predicted == labels
    rows["confidence"] = softmax(seen.logits, axis=1).max(axis=1)
    return rows.assign(**{name: score(seen, known) for name, score in SCORES.items()})


def no_held_out_rows() -> pd.DataFrame:
    """Return the columns of `held_out_rows` without a row."""
    nothing, colours = np.zeros((0, 1), np.float32), np.zeros((0, COLOURS), np.float32)
    return held_out_rows(
        Seen(nothing, nothing, nothing, colours),
        Known(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing, nothing, colours),
        np.zeros(0, np.int64),
        image_ids=[],
        classes=[],
        outputs=[],
        fold=OWN,
    )


def fit_guard(known: Known, held_out: pd.DataFrame, *, known_flagged: float) -> FittedGuard:
    """Choose the sum of scores and its threshold from known photos alone.

    Args:
        known: the model's train photos.
        held_out: rows of `held_out_rows`, of the folds and of the model's own val photos; may be empty.
        known_flagged: share of known photos that may be flagged by this and the softmax rule together, 0 to 1.

    Returns:
        The guard. Without folds the default sum; without enough held-out photos the similarity to the train photos
        alone, its threshold chosen by leaving each photo's own group out.
    """
    known_photos = (~held_out["hidden"]).groupby(held_out["fold"]).transform("sum")
    enough = known_photos >= np.where(held_out["fold"] == OWN, FEWEST_HELD_OUT, FEWEST_OF_A_FOLD)
    held_out = held_out[enough]
    hidden = held_out["hidden"].to_numpy(bool)
    if np.sum(~hidden) < FEWEST_HELD_OUT:
        return _similarity_alone(known, held_out, known_flagged)
    names = list(SCORES)
    by_fold = held_out[~hidden].groupby("fold")[names]
    medians = by_fold.median()
    smallest = pd.Series(SMALLEST_SPREAD, index=names)
    smallest[FAMILIAR_COLOURS] = SMALLEST_SPREAD_OF_COLOURS
    spreads = ((medians - by_fold.quantile(LOW_QUANTILE)) / DEVIATIONS_BELOW).clip(lower=smallest, axis=1)
    folds = held_out["fold"]
    median, spread = (by_fold.loc[folds].to_numpy() for by_fold in (medians, spreads))
    values = held_out[names].to_numpy(np.float64)
    standardised = pd.DataFrame(_standardised(values, median, spread, LOWEST), columns=names)
    # A fold's model saw fewer photos and is less sure than the model itself: the softmax rule is judged by the latter.
    unsure = ((held_out["confidence"] < SOFTMAX_RULE) & (folds == OWN)).to_numpy(bool)

    def flagged_by(candidate: tuple[str, ...]) -> tuple[np.ndarray, float, np.ndarray]:
        score = standardised[list(candidate)].sum(axis=1).to_numpy(np.float64)
        threshold = _threshold(score[~hidden], unsure[~hidden], known_flagged)
        return score, threshold, (score < threshold) | unsure

    tried = {}
    if hidden.any():
        alone = [(name,) for name in names]
        tried = {candidate: float(flagged_by(candidate)[2][hidden].mean()) for candidate in (*CANDIDATES, *alone)}
    chosen = CANDIDATES[0]
    if tried:
        best = max(CANDIDATES, key=lambda candidate: tried[candidate])
        chosen = best if tried[best] > tried[chosen] + CLEARLY_MORE else chosen
    score, threshold, flagged = flagged_by(chosen)
    is_own = medians.index == OWN
    typical = medians[is_own if is_own.any() else ~is_own].mean()
    # The val photos chose the epoch, so that the model is surer of them than of new photos; a fold's model saw fewer
    # photos, and is less sure. The truth lies between: the geometric mean of the two spreads.
    between = np.exp(np.log(pd.DataFrame([spreads[is_own].mean(), spreads[~is_own].mean()])).mean())
    class_thresholds = _class_thresholds(held_out[~hidden], score[~hidden], threshold, known_flagged)
    limits = held_out["predicted"].map(class_thresholds).fillna(threshold).to_numpy(np.float64)
    flagged = unsure | (score < limits)
    notes = []
    if not hidden.any():
        notes.append("No classes were hidden: what it catches of unknown types is not measured.")
    if not np.isfinite(threshold):
        notes.append(f"Off: the softmax rule alone flags {unsure[folds == OWN].mean():.0%} of the known photos.")
    return FittedGuard(
        guard=Guard(
            terms=tuple(Term(*term) for term in zip(chosen, typical[list(chosen)], between[list(chosen)], strict=True)),
            threshold=threshold if np.isfinite(threshold) else None,
            lowest=LOWEST,
            class_thresholds=class_thresholds,
        ),
        held_out=held_out.assign(guard_score=score),
        hidden_caught=float(flagged[hidden].mean()) if hidden.any() else None,
        known_flagged=float(flagged[~hidden].mean()),
        tried={" + ".join(candidate): caught for candidate, caught in tried.items()},
        note=" ".join(notes),
    )


def _standardised(
    values: np.ndarray, median: np.ndarray | float, spread: np.ndarray | float, lowest: float | None
) -> np.ndarray:
    return np.maximum((values - median) / spread, -np.inf if lowest is None else lowest)


def _threshold(score: np.ndarray, unsure: np.ndarray, known_flagged: float) -> float:
    """Return the sum that, with the softmax rule, flags at most that share of known photos, `SURENESS` sure.

    Few photos cannot make sure; there the lowest is the threshold.
    """
    ordered = np.sort(np.where(unsure, -np.inf, score))
    return float(ordered[max(_surely_below(len(ordered), known_flagged), 1) - 1])


def _surely_below(count: int, share: float) -> int:
    """Return which of `count` photos, from the lowest, has at most that share of new ones below, `SURENESS` sure.

    The share of new ones below the k-th is distributed as beta(k, count + 1 - k). 0: not even the lowest.
    """
    places = np.arange(1, count + 1)
    return int(np.sum(beta.cdf(share, places, count + 1 - places) >= SURENESS))


def _class_thresholds(
    known: pd.DataFrame, score: np.ndarray, threshold: float, known_flagged: float
) -> dict[str, float]:
    """Return the thresholds of classes whose photos score so high that the common one would let strangers pass."""
    found = {}
    for name, rows in known.reset_index(drop=True).groupby("predicted").groups.items():
        if np.isfinite(threshold) and _surely_below(len(rows), known_flagged):
            own = _threshold(score[rows], np.zeros(len(rows), bool), known_flagged)
            if own > threshold:
                found[str(name)] = own
    return found


def _similarity_alone(known: Known, held_out: pd.DataFrame, known_flagged: float) -> FittedGuard:
    term = (Term("pretrained similarity", 0.0, 1.0),)
    scores = leave_group_out_similarity(known)
    if len(scores) < FEWEST_FOR_SIMILARITY:
        note = "Off: too few photos have another one of their class to be compared with."
        return FittedGuard(Guard(term, None), held_out, note=note)
    threshold = float(np.quantile(scores, known_flagged, method="lower"))
    note = "Too few photos were held out: it compares with the train photos alone, and is not measured."
    return FittedGuard(Guard(term, threshold), held_out, known_flagged=float(np.mean(scores < threshold)), note=note)


def leave_group_out_similarity(known: Known) -> np.ndarray:
    """Return each known photo's similarity to its class, its own near-duplicates left out.

    A new photo has no near-duplicate among the known ones. Photos whose class has no other group are left out.
    """
    scores = []
    for row, (label, group) in enumerate(zip(known.labels, known.groups, strict=True)):
        others = (known.labels == label) & (known.groups != group)
        if others.any():
            own = known.pretrained[row : row + 1]
            scores.append(class_similarity(own, np.array([label]), known.pretrained[others], known.labels[others])[0])
    return np.array(scores)
