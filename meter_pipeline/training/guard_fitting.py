"""The guard chosen from known photos alone: of classes that were hidden in turn, and of photos that were held out.

Which sum of scores it is, and what it catches, is measured on classes that were hidden (`cross_fitting`); its limits
are set on known photos that were held out and named rightly (`guard_limits`): those that were named wrongly are better
flagged, and look less like the class that they were named than known photos do (0017).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.recognition.scores import FAMILIAR_COLOURS, FAMILIAR_PRINT, SCORES, Known, class_similarity
from meter_pipeline.training.guard_limits import Allowance, KnownSums, guard_with_limits
from meter_pipeline.training.held_out import OWN, Measures
from meter_pipeline.training.photos_needed import PhotosNeeded

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
CLEARLY_MORE = 0.20
"""A smaller difference says little: a dozen hidden classes stand for all types there are. At 0.10 sums of logits were
taken that pass more of the unseen types (0017)."""
FEWEST_HELD_OUT = 40
"""Held-out known photos below which they set no threshold."""
FEWEST_OF_A_FOLD = 10
"""Held-out known photos below which a fold is left out: its scores have no measure."""
FEWEST_READ_OF_A_FOLD = 5
"""Held-out known photos of a fold that must have been read for the print to count: fewer give no measure of it."""
FEW_TAUGHT = range(4, 20)
"""Train photos of a class that people have just taught: fewer do not say what it is not, and junk comes near (0019)."""
FEWEST_FOR_SIMILARITY = 20
"""Train photos with another group of their class, below which no threshold can be chosen and the guard is off."""
ASSUMED_UNKNOWN_THRESHOLD = 0.50
"""The softmax rule that a guard is fitted beside: what it flags counts towards the share that may be flagged.

It is the default of the setting `unknown_threshold`, and not the setting itself, which is taken when photos are
decided on: a person may change it without training again, and a model must not follow from a setting that is not among
`TrainingSettings`. Another value makes different guards: raise `trained_model.TRAINING_VERSION` with it."""


@dataclass(frozen=True, kw_only=True)
class FittedGuard:
    """A guard, and what is known of how it does.

    Attributes:
        guard: the guard.
        held_out: the photos it was fitted on, with their sum as `guard_score`.
        hidden_caught: share of the photos of hidden classes that it flags, 0 to 1; None if no class was hidden.
        known_flagged: the same of the known photos held out.
        hidden_not_sure: share of the photos of hidden classes that it does not flag, but is not sure of.
        known_not_sure: the same of the known photos held out, by which that limit was set.
        tried: share of a hidden class that each sum of scores (joined by +) and each score alone catches, in the mean
            over the classes: each stands for a type, however many photos there are of it.
        needed: how many photos a class needs until no more of them are flagged than allowed; None if the guard is off
            or not measured.
        note: what a person should know; empty if nothing is special.
    """

    guard: Guard
    held_out: pd.DataFrame
    hidden_caught: float | None = None
    known_flagged: float | None = None
    hidden_not_sure: float | None = None
    known_not_sure: float | None = None
    tried: dict[str, float] = field(default_factory=dict)
    needed: PhotosNeeded | None = None
    note: str = ""

    @property
    def figures(self) -> dict[str, float]:
        """The shares among the held-out photos, by name; those of known photos are what the limits were set by."""
        shares = {
            "hidden_caught": self.hidden_caught,
            "known_flagged": self.known_flagged,
            "hidden_not_sure": self.hidden_not_sure,
            "known_not_sure": self.known_not_sure,
        }
        return {name: share for name, share in shares.items() if share is not None}

    @property
    def summary(self) -> str:
        """What it does, in a sentence for people; empty if that was not measured."""
        if self.hidden_caught is None or self.known_flagged is None:
            return ""
        of_hidden, of_known = f"it sent {self.hidden_caught:.0%} to review", f"{self.known_flagged:.0%}"
        if self.hidden_not_sure is not None and self.known_not_sure is not None:
            of_hidden += f" and named {self.hidden_not_sure:.0%} without being sure"
            of_known += f" and {self.known_not_sure:.0%}"
        shares = f"Of photos of types it was never shown, {of_hidden}; of known photos, {of_known}."
        return f"{shares} {self._on_rare_classes}".strip()

    @property
    def _on_rare_classes(self) -> str:
        if self.needed is None or self.needed.flagged_below is None:
            return ""
        flagged = f"{self.needed.flagged_below:.0%}"
        if self.needed.photos is None:
            return f"Classes of any size had more known photos sent there than was asked for: {flagged} in all."
        return f"Of classes with fewer than {self.needed.photos} photos to train on more may be sent there: {flagged}."


def fit_guard(
    known: Known, held_out: pd.DataFrame, *, known_flagged: float, taught: Collection[str] = ()
) -> FittedGuard:
    """Choose the sum of scores and its limits from known photos alone.

    Args:
        known: the model's train photos.
        held_out: rows of `held_out.held_out_rows`, of the folds and of the model's own val photos; may be empty.
        known_flagged: share of known photos that may be flagged by this and the softmax rule together, 0 to 1.
        taught: classes that few photos show, all of them named by people in clusters.

    Returns:
        The guard. Without folds it adds up the default scores; without enough held-out photos it is the similarity to
        the train photos alone, with limits from leaving each photo's own group out.
    """
    allowance, held_out = Allowance(known_flagged), _folds_with_a_measure(held_out)
    if np.sum(held_out["correct"]) < FEWEST_HELD_OUT:
        return _similarity_alone(known, held_out, allowance)
    photos = _HeldOut.of(held_out, allowance, taught)
    candidates = _candidates(held_out)
    tried: dict[tuple[str, ...], float] = {}
    if photos.hidden.any():
        alone = [(name,) for name in SCORES if held_out[name].notna().any()]
        tried = {candidate: photos.share_caught(candidate) for candidate in (*candidates, *alone)}
    return photos.fitted(_chosen(candidates, tried), tried)


def _folds_with_a_measure(held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of folds, and of the model itself, that named enough known photos to measure scores by."""
    measured_by = held_out["correct"].groupby(held_out["fold"]).transform("sum")
    return held_out[measured_by >= np.where(held_out["fold"] == OWN, FEWEST_HELD_OUT, FEWEST_OF_A_FOLD)]


@dataclass(frozen=True, kw_only=True)
class _HeldOut:
    """Photos that were held out, some of hidden classes, one row per photo.

    Attributes:
        rows: of `held_out.held_out_rows`.
        measures: medians and spreads of the scores of the known ones that were named rightly.
        deviations: all scores, standardised by these.
        own: whether the photo was held out from the model itself.
        unsure: whether the softmax rule flags the photo. Only what the model itself says counts: a fold's model saw
            fewer photos and is less sure.
        allowance: how many known photos may be flagged.
        taught: classes that few photos show, all of them named by people in clusters.
    """

    rows: pd.DataFrame
    measures: Measures
    deviations: pd.DataFrame
    own: np.ndarray
    unsure: np.ndarray
    allowance: Allowance
    taught: Collection[str]

    @classmethod
    def of(cls, rows: pd.DataFrame, allowance: Allowance, taught: Collection[str]) -> _HeldOut:
        measures = Measures.of(rows[rows["correct"]])
        own = (rows["fold"] == OWN).to_numpy(bool)
        return cls(
            rows=rows,
            measures=measures,
            deviations=measures.deviations(rows),
            own=own,
            unsure=own & (rows["confidence"] < ASSUMED_UNKNOWN_THRESHOLD).to_numpy(bool),
            allowance=allowance,
            taught=taught,
        )

    @property
    def hidden(self) -> np.ndarray:
        """Whether the photo is of a hidden class."""
        return self.rows["hidden"].to_numpy(bool)

    @property
    def named_rightly(self) -> np.ndarray:
        """Whether the photo is a known one that was named rightly: limits are set by these."""
        return self.rows["correct"].to_numpy(bool)

    def score(self, candidate: Sequence[str]) -> np.ndarray:
        """Return the sum of these scores for each photo."""
        return self.deviations[list(candidate)].sum(axis=1).to_numpy(np.float64)

    def share_caught(self, candidate: Sequence[str]) -> float:
        """Return the share of a hidden class that a sum catches with a threshold for all, in the mean over classes."""
        score, hidden, right = self.score(candidate), self.hidden, self.named_rightly
        threshold = self.allowance.threshold(score[right], self.unsure[right])
        caught = pd.Series((score < threshold)[hidden] | self.unsure[hidden])
        return float(caught.groupby(self.rows["class"].to_numpy()[hidden]).mean().mean())

    def fitted(self, chosen: Sequence[str], tried: dict[tuple[str, ...], float]) -> FittedGuard:
        """Return the guard that adds up the chosen scores, and how it does on these photos."""
        score, hidden, predicted = self.score(chosen), self.hidden, self.rows["predicted"].to_numpy()
        right = self.named_rightly
        known = KnownSums(predicted=predicted[right], score=score[right], unsure=self.unsure[right])
        guard = guard_with_limits(self.measures.terms(chosen), known, self.allowance, self.taught)
        named = list(zip(predicted, score, strict=True))
        by_guard = np.array([guard.flags(name, value) for name, value in named], bool)
        flagged = self.unsure | by_guard
        not_sure = ~flagged & ~np.array([guard.is_sure(name, value) for name, value in named], bool)
        return FittedGuard(
            guard=guard,
            held_out=self.rows.assign(guard_score=score),
            hidden_caught=float(flagged[hidden].mean()) if hidden.any() else None,
            known_flagged=float(flagged[~hidden].mean()),
            hidden_not_sure=float(not_sure[hidden].mean()) if hidden.any() else None,
            known_not_sure=float(not_sure[~hidden].mean()),
            tried={" + ".join(candidate): caught for candidate, caught in tried.items()},
            needed=None if guard.threshold is None else self._photos_needed(by_guard),
            note=" ".join(self._notes(guard)),
        )

    def _photos_needed(self, by_guard: np.ndarray) -> PhotosNeeded:
        """Return it by what both rules flag, also in folds: small classes have hardly any photos held out but there."""
        known = self.rows[~self.hidden]
        flagged = by_guard[~self.hidden] | (known["confidence"] < ASSUMED_UNKNOWN_THRESHOLD).to_numpy(bool)
        return PhotosNeeded.of(known["class_photos"].to_numpy(), flagged, self.allowance.known_flagged)

    def _notes(self, guard: Guard) -> list[str]:
        notes = []
        if not self.hidden.any():
            notes.append("No classes were hidden: what it catches of unknown types is not measured.")
        if guard.threshold is None:
            notes.append(f"Off: the softmax rule alone flags {self.unsure[self.own].mean():.0%} of the known photos.")
        return notes


def _candidates(held_out: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the sums to choose from, the default first."""
    known = held_out[~held_out["hidden"]]
    was_read = known[FAMILIAR_PRINT].notna().groupby(known["fold"]).sum() >= FEWEST_READ_OF_A_FOLD
    return tuple((*candidate, FAMILIAR_PRINT) for candidate in CANDIDATES) if was_read.all() else CANDIDATES


def _chosen(candidates: Sequence[tuple[str, ...]], tried: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """Return the sum that catches clearly more than the default, or the default; `tried` may be empty."""
    best = max(candidates, key=lambda candidate: tried.get(candidate, 0.0))
    return best if tried and tried[best] > tried[candidates[0]] + CLEARLY_MORE else candidates[0]


def _similarity_alone(known: Known, held_out: pd.DataFrame, allowance: Allowance) -> FittedGuard:
    terms = (Term("pretrained similarity", 0.0, 1.0),)
    scores = leave_group_out_similarity(known)
    if len(scores) < FEWEST_FOR_SIMILARITY:
        note = "Off: too few photos have another one of their class to be compared with."
        return FittedGuard(guard=Guard(terms, None), held_out=held_out, note=note)
    threshold = float(np.quantile(scores, allowance.known_flagged, method="lower"))
    sure_from = allowance.lowest_sure(scores)
    return FittedGuard(
        guard=Guard(terms, threshold, sure_from=sure_from),
        held_out=held_out,
        known_flagged=float(np.mean(scores < threshold)),
        known_not_sure=float(np.mean((scores >= threshold) & (scores < sure_from))),
        note="Too few photos were held out: it compares with the train photos alone, and is not measured.",
    )


def leave_group_out_similarity(known: Known) -> np.ndarray:
    """Return each known photo's similarity to its class, its own near-duplicates left out.

    A new photo has no near-duplicate among the known ones. Photos whose class has no other group are left out.
    """
    scores, pretrained = [], known.embeddings.pretrained
    for row, (label, group) in enumerate(zip(known.labels, known.groups, strict=True)):
        others = (known.labels == label) & (known.groups != group)
        if others.any():
            own, of_others = pretrained[row : row + 1], pretrained[others]
            scores.append(class_similarity(own, np.array([label]), of_others, known.labels[others])[0])
    return np.array(scores)
