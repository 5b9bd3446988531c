"""A model before the gate: what it says to the test photos, and what its training found out about its guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


def _no_held_out() -> pd.DataFrame:
    return pd.DataFrame(columns=["image_id", "class", "hidden", "correct"])


@dataclass(frozen=True, kw_only=True)
class GuardFigures:
    """What the model card says of its guard.

    Attributes:
        is_on: whether it has a threshold.
        known_flagged_limit: share of known photos that may be sent to UNKNOWN, 0 to 1; None: not said.
        hidden_caught: share of the photos of hidden classes that were, 0 to 1; None: not measured.
        hidden_by_class: the same by class, for the classes that were hidden; empty where it is not known.
    """

    is_on: bool = True
    known_flagged_limit: float | None = None
    hidden_caught: float | None = None
    hidden_by_class: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_card(cls, guard: Mapping[str, Any], hidden_by_class: Mapping[str, float]) -> GuardFigures:
        """Read them from what the model card says of the guard; the shares by class are not in it."""
        return cls(
            is_on=guard["threshold"] is not None,
            known_flagged_limit=guard["known_flagged_limit"],
            hidden_caught=guard.get("hidden_caught"),
            hidden_by_class=hidden_by_class,
        )


@dataclass(frozen=True)
class Contender:
    """A model before the gate.

    Attributes:
        version: model version.
        classes: the classes it can name.
        audit: what it says to the test photos of today's data set (columns of `EVALUATION_AUDIT`; used: `image_id`,
            `true_class`, `predicted_class`, `final_prediction`). For the champion: run again on today's test photos,
            not its old report.
        trained_on: image ids it has seen in training or in the choice of its best epoch (train and val), and, where
            known, of their near-duplicates; not compared on these.
        guard: what its card says of the guard.
        held_out: photos that were kept from it or from models of folds (`model_store.load_held_out`; used: `class`,
            `hidden`, `correct`).
    """

    version: str
    classes: tuple[str, ...]
    audit: pd.DataFrame
    trained_on: frozenset[str] = frozenset()
    guard: GuardFigures = field(default_factory=GuardFigures)
    held_out: pd.DataFrame = field(default_factory=_no_held_out, compare=False, repr=False)

    @property
    def own_audit(self) -> pd.DataFrame:
        """The audit without the photos that it has seen in training."""
        return self.audit[~self.audit["image_id"].isin(self.trained_on)]


def compared_photos(challenger: Contender, champion: Contender) -> tuple[pd.DataFrame, int]:
    """Return the test photos that are fair to both, and how many were left out.

    These are the photos of classes that both know (a champion cannot know a class that came later, and must not lose by
    it), and seen in training by neither (after a class grew, some of today's test photos were training photos of the
    champion). The challenger's audit carries today's labels.

    Returns:
        One row per photo, sorted by it: `image_id`, `true_class`, and `predicted_class`, `final_prediction`, `right`
        (whether the best guess is, whatever its confidence) and the same of the champion with `_champion` behind;
        then the number of photos that one of the two was trained on.
    """
    common = set(challenger.classes) & set(champion.classes)
    answers = ["predicted_class", "final_prediction"]
    ours = challenger.audit.loc[challenger.audit["true_class"].isin(common), ["image_id", "true_class", *answers]]
    theirs = champion.audit[["image_id", *answers]]
    both = ours.merge(theirs, on="image_id", suffixes=("", "_champion"), validate="one_to_one").sort_values("image_id")
    for whose in ("", "_champion"):
        both[f"right{whose}"] = _is(both[f"predicted_class{whose}"], both["true_class"])
    seen = both["image_id"].isin(challenger.trained_on | champion.trained_on)
    return both[~seen].reset_index(drop=True), int(seen.sum())


def macro_recall(audit: pd.DataFrame) -> float | None:
    """Return the mean recall over the true classes of an audit, by the best guesses; None if it has no rows."""
    if audit.empty:
        return None
    right = _is(audit["predicted_class"], audit["true_class"])
    return float(right.groupby(audit["true_class"]).mean().mean())


def _is(said: pd.Series, truth: pd.Series) -> pd.Series:
    return said.eq(truth).fillna(False).astype(bool)
