"""The gate on new classes: what the challenger learned it can name, and it does not name old photos so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from meter_pipeline.evaluation.gate.contender import Contender, compared_photos
from meter_pipeline.evaluation.gate.findings import ROUNDING, Criterion, Finding, is_over
from meter_pipeline.labels import Outcome

LOWEST_RECALL = 0.5
"""Recall that a new class needs (LOOP section 5)."""
FEWEST_PHOTOS = 4
"""Photos below which the recall of a new class says nothing."""
NEW_NAMES_ALLOWED = 0.02
"""Share of the compared photos of old classes that may get a new class's name (LOOP section 5)."""
TEST, OUT_OF_FOLD = "test photos", "photos held out from folds"


@dataclass(frozen=True)
class NewClass:
    """A class that only the challenger knows.

    Attributes:
        name: the class.
        photos: photos that its recall was measured on.
        right: those that the challenger's best guess is right on.
        measured_on: `TEST`, or `OUT_OF_FOLD` where there are too few of these; empty where there are none at all.
    """

    name: str
    photos: int = 0
    right: int = 0
    measured_on: str = ""

    @property
    def recall(self) -> float | None:
        """Share of its photos that are named rightly, 0 to 1; None without photos."""
        return self.right / self.photos if self.photos else None

    @property
    def is_measured(self) -> bool:
        """Whether these are enough photos."""
        return self.photos >= FEWEST_PHOTOS


@dataclass(frozen=True)
class NewClasses:
    """The classes that only the challenger knows, and photos of old classes that it now gives their names.

    Attributes:
        classes: sorted by name.
        old_photos: photos of old classes that were looked at.
        taken: how many of them now get a new name, by old class and new name, the most first.
    """

    classes: tuple[NewClass, ...] = ()
    old_photos: int = 0
    taken: tuple[tuple[str, str, int], ...] = ()

    @property
    def photos_taken(self) -> int:
        """How many photos of old classes get a new name."""
        return sum(count for *_, count in self.taken)


def measure_new_classes(challenger: Contender, champion: Contender | None) -> NewClasses:
    """Return how well new classes are named, and which old photos get their names.

    The recall is that of the challenger's test photos; if there are too few, that of its training photos, by models
    that were not trained on them.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; without one no class is new.
    """
    if champion is None or champion.version == challenger.version:
        return NewClasses()
    names = sorted(set(challenger.classes) - set(champion.classes))
    test = challenger.own_audit
    test = test.assign(right=test["predicted_class"].eq(test["true_class"]))
    held_out = challenger.held_out[~challenger.held_out["hidden"].astype(bool)]
    compared, _ = compared_photos(challenger, champion)
    taken = compared[compared["final_prediction"].isin(names)]
    pairs = Counter(zip(taken["true_class"], taken["final_prediction"], strict=True))
    return NewClasses(
        classes=tuple(
            _best_measured(
                _measured(name, test.loc[test["true_class"] == name, "right"], TEST),
                _measured(name, held_out.loc[held_out["class"] == name, "correct"], OUT_OF_FOLD),
            )
            for name in names
        ),
        old_photos=len(compared),
        taken=tuple((old, new, count) for (old, new), count in pairs.most_common()),
    )


def on_new_classes(found: NewClasses) -> list[Finding]:
    """Return what speaks against the new classes, and which could not be measured."""
    findings = [
        Finding(
            criterion=Criterion.NEW_CLASS,
            outcome=Outcome.HELD,
            value=new.recall,
            limit=LOWEST_RECALL,
            photos=new.photos,
            names=(new.name, new.measured_on),
        )
        for new in found.classes
        if new.is_measured and new.recall is not None and new.recall < LOWEST_RECALL - ROUNDING
    ]
    if is_over(found.photos_taken, found.old_photos, NEW_NAMES_ALLOWED):
        findings.append(
            Finding(
                criterion=Criterion.NEW_NAMES,
                outcome=Outcome.HELD,
                value=found.photos_taken / found.old_photos,
                limit=NEW_NAMES_ALLOWED,
                count=found.photos_taken,
                photos=found.old_photos,
                names=tuple(f"{old} as {new} ({count})" for old, new, count in found.taken),
            )
        )
    unmeasured = tuple(new.name for new in found.classes if not new.is_measured)
    if unmeasured:
        remark = Finding(
            criterion=Criterion.NEW_CLASS_UNMEASURED,
            outcome=Outcome.ACCEPTED,
            limit=FEWEST_PHOTOS,
            names=unmeasured,
        )
        findings.append(remark)
    return findings


def _measured(name: str, right: pd.Series, on: str) -> NewClass:
    return NewClass(name, len(right), int(right.astype(bool).sum()), on) if len(right) else NewClass(name)


def _best_measured(by_test: NewClass, out_of_fold: NewClass) -> NewClass:
    if by_test.is_measured or not out_of_fold.photos:
        return by_test
    return out_of_fold if out_of_fold.is_measured or not by_test.photos else by_test
