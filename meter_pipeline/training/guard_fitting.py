"""The guard's sum of scores and its thresholds, from known photos alone: of classes hidden in turn, and held out.

Which sum, and what it catches, is measured on classes that were hidden (`cross_fitting`); the thresholds are set on
known photos that were held out.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import beta

from meter_pipeline.recognition.colours import COLOURS
from meter_pipeline.recognition.guard import Guard, Term, standardised, without_silence
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.recognition.scores import FAMILIAR_COLOURS, FAMILIAR_PRINT, SCORES, Known, Seen, class_similarity

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
the pretrained similarity, without which junk passes. Where plates were read, the print is added to each."""
CLEARLY_MORE = 0.10
"""A smaller difference says little: a dozen hidden classes stand for all types there are."""
OWN = -1
"""Number that stands for a fold where photos were held out from the model itself."""
SMALLEST_SPREAD, SMALLEST_SPREAD_OF_SHARES = 1e-6, 0.01
"""Below these a spread is taken for these: a hundredth of the photo's area, or of its print."""
LOW_QUANTILE, DEVIATIONS_BELOW = 0.05, 1.645
"""Of a normal distribution this quantile lies that many standard deviations below the median."""
LOWEST = -8.0
"""See `Guard.lowest`: one odd reflection must not outweigh all that speaks for a class."""
SURENESS = 0.90
"""Chance that no more known photos are flagged than asked for, as far as the held-out ones speak for new ones."""
NOT_SURE = 2.0
"""Share of held-out known photos that are not called sure, in shares that may be flagged: as many again (0013)."""
FEWEST_HELD_OUT = 40
"""Held-out known photos below which they set no threshold."""
FEWEST_OF_A_FOLD = 10
"""Held-out known photos below which a fold is left out: its scores have no measure."""
FEWEST_READ_OF_A_FOLD = 5
"""Held-out known photos of a fold that must have been read for the print to count: fewer give no measure of it."""
FEWEST_FOR_SIMILARITY = 20
"""Train photos with another group of their class, below which no threshold can be chosen and the guard is off."""
SOFTMAX_RULE = 0.50
"""A photo whose first softmax is below is flagged in any case; it counts towards the share that may be flagged."""


@dataclass(frozen=True)
class FittedGuard:
    """A guard, and what is known of how it does.

    Attributes:
        guard: the guard.
        held_out: the photos it was fitted on, with their sum as `guard_score`.
        hidden_caught: share of the photos of hidden classes that it flags, 0 to 1; None where none was hidden.
        known_flagged: the same of the known photos held out.
        hidden_not_sure: share of the photos of hidden classes that it does not flag, but is not sure of.
        known_not_sure: the same of the known photos held out, from which that limit was taken.
        tried: sum of scores (joined by +), and each score alone, to the share of a hidden class that it catches, in the
            mean over the classes: each stands for a type, however many photos there are of it.
        note: what a person should know; empty where nothing is special.
    """

    guard: Guard
    held_out: pd.DataFrame
    hidden_caught: float | None = None
    known_flagged: float | None = None
    hidden_not_sure: float | None = None
    known_not_sure: float | None = None
    tried: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def figures(self) -> dict[str, float]:
        """The shares among the held-out photos, by name; those of known photos are what the limits were set by."""
        names = ("hidden_caught", "known_flagged", "hidden_not_sure", "known_not_sure")
        shares = {name: getattr(self, name) for name in names}
        return {name: share for name, share in shares.items() if share is not None}

    @property
    def summary(self) -> str:
        """What it does, in a sentence for people; empty where that was not measured."""
        if self.hidden_caught is None or self.known_flagged is None:
            return ""
        return (
            f"Of types it was never shown, it caught {self.hidden_caught:.0%}{_and_not_sure(self.hidden_not_sure)}; "
            f"of known photos it sent {self.known_flagged:.0%} to review{_and_not_sure(self.known_not_sure)}."
        )


def _and_not_sure(share: float | None) -> str:
    return "" if share is None else f" and was not sure of {share:.0%} more"


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
        Seen(nothing, nothing, nothing, colours, nothing_read(0)),
        Known(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing, nothing, colours, nothing_read(0)),
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
    measures = _Measures.of(held_out[~hidden])
    deviations = measures.deviations(held_out)
    # A fold's model saw fewer photos and is less sure than the model itself: the softmax rule is judged by the latter.
    own = (held_out["fold"] == OWN).to_numpy(bool)
    unsure = (held_out["confidence"] < SOFTMAX_RULE).to_numpy(bool) & own

    def score_and_threshold(candidate: tuple[str, ...]) -> tuple[np.ndarray, float]:
        score = deviations[list(candidate)].sum(axis=1).to_numpy(np.float64)
        return score, _threshold(score[~hidden], unsure[~hidden], known_flagged)

    candidates, alone = _candidates(held_out), [(name,) for name in SCORES if held_out[name].notna().any()]
    tried = {}
    for candidate in (*candidates, *alone) if hidden.any() else ():
        score, threshold = score_and_threshold(candidate)
        caught = pd.Series((score < threshold)[hidden] | unsure[hidden])
        tried[candidate] = float(caught.groupby(held_out["class"].to_numpy()[hidden]).mean().mean())
    chosen = _chosen(candidates, tried)
    score, threshold = score_and_threshold(chosen)
    class_thresholds = _class_thresholds(held_out[~hidden], score[~hidden], threshold, known_flagged)
    limits = held_out["predicted"].map(class_thresholds).fillna(threshold).to_numpy(np.float64)
    flagged = unsure | (score < limits)
    sure_from: float | None = None
    class_sure_from: dict[str, float] = {}
    if np.isfinite(threshold):
        sure_from, class_sure_from = _sure_from(held_out[~hidden], score[~hidden], known_flagged)
    lowest_sure = held_out["predicted"].map(class_sure_from).fillna(-np.inf if sure_from is None else sure_from)
    not_sure = ~flagged & (score < lowest_sure.to_numpy(np.float64))
    notes = []
    if not hidden.any():
        notes.append("No classes were hidden: what it catches of unknown types is not measured.")
    if not np.isfinite(threshold):
        notes.append(f"Off: the softmax rule alone flags {unsure[own].mean():.0%} of the known photos.")
    return FittedGuard(
        guard=Guard(
            terms=measures.terms(chosen),
            threshold=threshold if np.isfinite(threshold) else None,
            lowest=LOWEST,
            class_thresholds=class_thresholds,
            sure_from=sure_from,
            class_sure_from=class_sure_from,
        ),
        held_out=held_out.assign(guard_score=score),
        hidden_caught=float(flagged[hidden].mean()) if hidden.any() else None,
        known_flagged=float(flagged[~hidden].mean()),
        hidden_not_sure=float(not_sure[hidden].mean()) if hidden.any() else None,
        known_not_sure=float(not_sure[~hidden].mean()),
        tried={" + ".join(candidate): caught for candidate, caught in tried.items()},
        note=" ".join(notes),
    )


@dataclass(frozen=True)
class _Measures:
    """Medians and spreads of the scores of known photos, a row a fold, a column a score."""

    medians: pd.DataFrame
    spreads: pd.DataFrame

    @classmethod
    def of(cls, known: pd.DataFrame) -> _Measures:
        by_fold = known.groupby("fold")[list(SCORES)]
        smallest = pd.Series(SMALLEST_SPREAD, index=list(SCORES))
        smallest[[FAMILIAR_COLOURS, FAMILIAR_PRINT]] = SMALLEST_SPREAD_OF_SHARES
        medians = by_fold.median()
        spreads = (medians - by_fold.quantile(LOW_QUANTILE)) / DEVIATIONS_BELOW
        return cls(medians, spreads.clip(lower=smallest, axis=1))

    def deviations(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return each photo's scores as deviations from those of its own model."""
        median, spread = (measure.loc[rows["fold"]].to_numpy() for measure in (self.medians, self.spreads))
        values = rows[list(SCORES)].to_numpy(np.float64)
        found = pd.DataFrame(standardised(values, median, spread, LOWEST), columns=list(SCORES))
        return found.assign(**{FAMILIAR_PRINT: without_silence(found[FAMILIAR_PRINT].to_numpy())})

    def terms(self, names: Sequence[str]) -> tuple[Term, ...]:
        """Return what new photos are measured by.

        The val photos chose the epoch, so that the model is surer of them than of new photos; a fold's model saw fewer
        photos, and is less sure. The truth lies between: the geometric mean of the two spreads.
        """
        own = self.medians.index == OWN
        typical = self.medians[own if own.any() else ~own].mean()
        spread = np.exp(np.log(pd.DataFrame([self.spreads[own].mean(), self.spreads[~own].mean()])).mean())
        return tuple(Term(name, float(typical[name]), float(spread[name])) for name in names)


def _candidates(held_out: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the sums to choose from, the default first."""
    known = held_out[~held_out["hidden"]]
    was_read = known[FAMILIAR_PRINT].notna().groupby(known["fold"]).sum() >= FEWEST_READ_OF_A_FOLD
    return tuple((*candidate, FAMILIAR_PRINT) for candidate in CANDIDATES) if was_read.all() else CANDIDATES


def _chosen(candidates: Sequence[tuple[str, ...]], tried: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """Return the sum that catches clearly more than the default, else that; `tried` may be empty."""
    best = max(candidates, key=lambda candidate: tried.get(candidate, 0.0))
    return best if tried and tried[best] > tried[candidates[0]] + CLEARLY_MORE else candidates[0]


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
        if np.isfinite(threshold) and _has_own_limits(rows, known_flagged):
            own = _threshold(score[rows], np.zeros(len(rows), bool), known_flagged)
            if own > threshold:
                found[str(name)] = own
    return found


def _sure_from(known: pd.DataFrame, score: np.ndarray, known_flagged: float) -> tuple[float, dict[str, float]]:
    """Return the sum from which on names are sure, and that of the classes where it is higher."""
    common = _lowest_sure(score, known_flagged)
    by_class = {
        str(name): _lowest_sure(score[rows], known_flagged)
        for name, rows in known.reset_index(drop=True).groupby("predicted").groups.items()
        if _has_own_limits(rows, known_flagged)
    }
    return common, {name: own for name, own in by_class.items() if own > common}


def _lowest_sure(score: np.ndarray, known_flagged: float) -> float:
    return float(np.quantile(score, min(NOT_SURE * known_flagged, 1.0)))


def _has_own_limits(rows: Sized, known_flagged: float) -> bool:
    """Return whether a class has so many held-out photos that the lowest of them says where few new ones are."""
    return _surely_below(len(rows), known_flagged) > 0


def _similarity_alone(known: Known, held_out: pd.DataFrame, known_flagged: float) -> FittedGuard:
    term = (Term("pretrained similarity", 0.0, 1.0),)
    scores = leave_group_out_similarity(known)
    if len(scores) < FEWEST_FOR_SIMILARITY:
        note = "Off: too few photos have another one of their class to be compared with."
        return FittedGuard(Guard(term, None), held_out, note=note)
    threshold = float(np.quantile(scores, known_flagged, method="lower"))
    sure_from = _lowest_sure(scores, known_flagged)
    note = "Too few photos were held out: it compares with the train photos alone, and is not measured."
    return FittedGuard(
        Guard(term, threshold, sure_from=sure_from),
        held_out,
        known_flagged=float(np.mean(scores < threshold)),
        known_not_sure=float(np.mean((scores >= threshold) & (scores < sure_from))),
        note=note,
    )


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
