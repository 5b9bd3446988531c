"""Which photos need no closer views: limits chosen on photos that were held out, for the same answers in all but a few.

A photo ends early by what the view of the whole says. Held-out photos, some of classes that were hidden, say what it
would have been named with all views: the limits lie above those whose answer would change (0023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from meter_pipeline.recognition.early_exit import EarlyExit, margins
from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.training.guard_fitting import ASSUMED_UNKNOWN_THRESHOLD, FittedGuard
from meter_pipeline.training.held_out import Measures

CONFIDENCES = (0.90, 0.95, 0.98)
"""Confidences to choose from."""
LEAST_MARGIN = 1.0
"""Standard deviations that the margin is at least: types that no training saw come nearer than the hidden ones (0023).
"""
MOST_CHANGED = 0.0025
"""Share of held-out photos whose answer may change: half of what is promised."""
MOST_MISSED = 0.005
"""Share of photos of hidden classes that may be named though all views made them UNKNOWN: half of what is promised."""
ROOM = 0.25
"""Standard deviations that the margin lies above the last photo that must not end early."""
FEWEST_KNOWN, FEWEST_HIDDEN = 220, 320
"""Held-out photos of known and of hidden classes below which every photo gets all views: limits that were chosen by 190
and 280 kept the promise on one of two sets (0023)."""
SMALLEST_SHARE = 0.10
"""Share of known photos that end early, below which it is not worth its risk."""


@dataclass(frozen=True, kw_only=True)
class FittedEarlyExit:
    """Limits, and what is known of how they do.

    Attributes:
        rule: the limits; None where every photo gets all views.
        note: why there are none, for people.
        known_early: share of held-out photos of known classes that end early, 0 to 1.
        hidden_early: the same of hidden classes.
        changed: share of all held-out photos whose final label changes.
        missed: share of photos of hidden classes that are named then, and were UNKNOWN with all views.
    """

    rule: EarlyExit | None
    note: str = ""
    known_early: float = 0.0
    hidden_early: float = 0.0
    changed: float = 0.0
    missed: float = 0.0

    def as_card(self) -> dict[str, Any]:
        """Return it as the model card keeps it."""
        if self.rule is None:
            return {"note": self.note}
        figures = {name: getattr(self, name) for name in ("known_early", "hidden_early", "changed", "missed")}
        return self.rule.as_card() | {name: round(value, 4) for name, value in figures.items()}


def fit_early_exit(fitted: FittedGuard, whole: pd.DataFrame, preprocess: Preprocess) -> FittedEarlyExit:
    """Choose the limits.

    Args:
        fitted: the guard, with the held-out photos as all views show them.
        whole: these photos, under the same index, as the view of the whole alone shows them: rows of
            `held_out.held_out_rows`; there may be more, of folds that the guard passed over.
        preprocess: which views there are.
    """
    if len(preprocess.views) - len(preprocess.located_views) != 1 or not preprocess.located_views:
        return FittedEarlyExit(rule=None, note="There are no closer views, or several of the whole.")
    if fitted.guard.threshold is None or "guard_score" not in fitted.held_out:
        return FittedEarlyExit(rule=None, note="The guard is off, or not measured: every photo gets all views.")
    photos = _Photos.of(fitted, whole.loc[fitted.held_out.index])
    if (~photos.hidden).sum() < FEWEST_KNOWN or photos.hidden.sum() < FEWEST_HIDDEN:
        return FittedEarlyExit(rule=None, note="Too few photos were held out to choose it by.")
    tried = [photos.fitted(photos.limits(confidence)) for confidence in CONFIDENCES]
    best = max(tried, key=lambda each: each.known_early)
    if best.known_early < SMALLEST_SHARE:
        share = f"{best.known_early:.0%} of known photos"
        return FittedEarlyExit(rule=None, note=f"It would spare {share} closer views at the most: not worth it.")
    return best


@dataclass(frozen=True, kw_only=True)
class _Photos:
    """Held-out photos, one row per photo.

    Attributes:
        hidden: whether the photo is of a hidden class.
        confidence: of the view of the whole, 0 to 1.
        margin: see `EarlyExit`.
        changes: whether the name by the view of the whole is another final label than that by all views.
        is_unknown: whether the final label by all views is UNKNOWN.
    """

    hidden: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    changes: np.ndarray
    is_unknown: np.ndarray

    @classmethod
    def of(cls, fitted: FittedGuard, whole: pd.DataFrame) -> _Photos:
        full, guard = fitted.held_out, fitted.guard
        measures = Measures.of(full[full["correct"]])
        scores = measures.deviations(whole)[[term.score for term in guard.terms]].sum(axis=1).to_numpy()
        named = whole["predicted"].tolist()
        final = _final_labels(full, guard)
        return cls(
            hidden=whole["hidden"].to_numpy(bool),
            confidence=whole["confidence"].to_numpy(),
            margin=margins(scores, named, guard),
            changes=np.array([name != label for name, label in zip(named, final, strict=True)], bool),
            is_unknown=np.array([label is None for label in final], bool),
        )

    def limits(self, confidence: float) -> EarlyExit:
        """Return the lowest margin with this confidence that changes few enough answers."""
        confident = self.confidence >= confidence
        changed = np.sort(self.margin[confident & self.changes])[::-1]
        missed = np.sort(self.margin[confident & self.hidden & self.is_unknown])[::-1]
        lowest = LEAST_MARGIN
        for offending, allowed in (
            (changed, int(MOST_CHANGED * len(self.hidden))),
            (missed, int(MOST_MISSED * self.hidden.sum())),
        ):
            if len(offending) > allowed:
                lowest = max(lowest, float(offending[allowed]) + ROOM)
        return EarlyExit(confidence=confidence, margin=round(lowest, 4))

    def fitted(self, rule: EarlyExit) -> FittedEarlyExit:
        """Return how limits do."""
        early = (self.confidence >= rule.confidence) & (self.margin >= rule.margin)
        return FittedEarlyExit(
            rule=rule,
            known_early=float(early[~self.hidden].mean()),
            hidden_early=float(early[self.hidden].mean()),
            changed=float((early & self.changes).mean()),
            missed=float((early & self.is_unknown)[self.hidden].mean()),
        )


def _final_labels(rows: pd.DataFrame, guard: Guard) -> list[str | None]:
    """Return the final label of each photo by all views; None for UNKNOWN."""
    entries = zip(rows["predicted"], rows["confidence"], rows["guard_score"], strict=True)
    return [
        None if confidence < ASSUMED_UNKNOWN_THRESHOLD or guard.flags(name, score) else name
        for name, confidence, score in entries
    ]
