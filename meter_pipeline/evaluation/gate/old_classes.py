"""The gate on old classes: on the same test photos the challenger is no worse than the model in use."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from meter_pipeline.evaluation.gate.contender import Contender, compared_photos, macro_recall
from meter_pipeline.evaluation.gate.findings import ROUNDING, Criterion, Finding, is_clearly_worse
from meter_pipeline.labels import Outcome

UNCOMPARED_FLOOR = 0.5
"""Macro recall on its own test photos that a new model needs where no photo compares it fairly: a model that cannot be
compared may come in, one whose training diverged may not."""
ONE_POINT = 0.01
"""Macro recall that a single photo may move at most for a loss of recall to be more than chance."""
PHOTOS_OF_A_CLASS = 8
"""Compared photos from which on a class is looked at alone (LOOP section 5)."""
CLASS_MAY_LOSE = 2
"""Photos that such a class may lose on balance."""


@dataclass(frozen=True)
class Comparison:
    """The challenger against the model in use, in numbers. Recalls are 0 to 1; one that is not defined is None.

    Attributes:
        challenger: its version.
        champion: the version in use; None if there is none yet.
        own_photos: the challenger's test photos that it was not trained on.
        own_macro_recall: its macro recall on these.
        n_common: photos compared: of classes that both know, and seen in training by neither.
        challenger_macro_recall: on the compared photos.
        champion_macro_recall: on the compared photos.
        right_to_wrong: compared photos that the champion has right and the challenger wrong.
        wrong_to_right: the other way round.
        one_photo: macro recall that one compared photo moves at most; None without such photos.
        n_seen_in_training: test photos left out because one of the two was trained on them.
        dropped_classes: classes that only the champion knows.
        by_class: one row per compared class: `class`, `photos`, `champion_right`, `challenger_right` (photos),
            `champion_recall`, `challenger_recall`, `change`; the biggest loss first.
    """

    challenger: str
    champion: str | None
    own_photos: int
    own_macro_recall: float | None
    n_common: int = 0
    challenger_macro_recall: float | None = None
    champion_macro_recall: float | None = None
    right_to_wrong: int = 0
    wrong_to_right: int = 0
    one_photo: float | None = None
    n_seen_in_training: int = 0
    dropped_classes: tuple[str, ...] = ()
    by_class: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)

    @property
    def change(self) -> float | None:
        """Macro recall that the challenger gains over the champion on the compared photos; None without such."""
        if self.challenger_macro_recall is None or self.champion_macro_recall is None:
            return None
        return self.challenger_macro_recall - self.champion_macro_recall

    @property
    def sees_one_point(self) -> bool:
        """Whether a single photo is at most one point of macro recall, so that a loss of more is not one photo's."""
        return self.one_photo is not None and self.one_photo <= ONE_POINT + ROUNDING


def compare(challenger: Contender, champion: Contender | None) -> Comparison:
    """Measure both models on the test photos that are fair to both (`contender.compared_photos`).

    Top-1 classes count, whatever the confidence.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; None if there is none yet.
    """
    own = challenger.own_audit
    if champion is None or champion.version == challenger.version:  # nothing to compare with, or only itself
        return Comparison(challenger.version, champion.version if champion else None, len(own), macro_recall(own))
    compared, seen = compared_photos(challenger, champion)
    by_class = _by_class(compared)
    some = len(by_class) > 0
    return Comparison(
        challenger=challenger.version,
        champion=champion.version,
        own_photos=len(own),
        own_macro_recall=macro_recall(own),
        n_common=len(compared),
        challenger_macro_recall=float(by_class["challenger_recall"].mean()) if some else None,
        champion_macro_recall=float(by_class["champion_recall"].mean()) if some else None,
        right_to_wrong=int((compared["right_champion"] & ~compared["right"]).sum()),
        wrong_to_right=int((~compared["right_champion"] & compared["right"]).sum()),
        one_photo=float(1 / (len(by_class) * by_class["photos"].min())) if some else None,
        n_seen_in_training=seen,
        dropped_classes=tuple(sorted(set(champion.classes) - set(challenger.classes))),
        by_class=by_class,
    )


def on_old_classes(numbers: Comparison, *, tolerance: float, allow_dropped_classes: bool) -> list[Finding]:
    """Return what speaks against a challenger on the classes that the model in use knows.

    Args:
        numbers: both models, compared.
        tolerance: macro recall that the challenger may lose (0 to 1).
        allow_dropped_classes: whether it may know fewer classes.
    """
    findings = [*_on_recall(numbers, tolerance), *_on_single_classes(numbers.by_class)]
    if is_clearly_worse(numbers.right_to_wrong, numbers.wrong_to_right):
        findings.append(
            Finding(
                criterion=Criterion.SIGN_TEST,
                outcome=Outcome.REFUSED,
                count=numbers.right_to_wrong,
                before=numbers.wrong_to_right,
                photos=numbers.n_common,
            )
        )
    if numbers.dropped_classes:
        findings.append(
            Finding(
                criterion=Criterion.DROPPED_CLASSES,
                outcome=Outcome.ACCEPTED if allow_dropped_classes else Outcome.REFUSED,
                names=numbers.dropped_classes,
            )
        )
    return findings


def _on_recall(numbers: Comparison, tolerance: float) -> list[Finding]:
    if numbers.change is None:
        if numbers.own_macro_recall is None or numbers.own_macro_recall >= UNCOMPARED_FLOOR:
            return []
        return [
            Finding(
                criterion=Criterion.UNCOMPARED,
                outcome=Outcome.REFUSED,
                value=numbers.own_macro_recall,
                limit=UNCOMPARED_FLOOR,
                photos=numbers.own_photos,
            )
        ]
    findings = []
    if numbers.change < -tolerance - ROUNDING:
        findings.append(
            Finding(
                criterion=Criterion.RECALL,
                outcome=Outcome.REFUSED if numbers.sees_one_point else Outcome.HELD,
                value=numbers.challenger_macro_recall,
                before=numbers.champion_macro_recall,
                limit=tolerance,
                photos=numbers.n_common,
            )
        )
    if not numbers.sees_one_point:
        remark = Finding(
            criterion=Criterion.FEW_PHOTOS,
            outcome=Outcome.ACCEPTED,
            value=numbers.one_photo,
            limit=ONE_POINT,
            photos=numbers.n_common,
        )
        findings.append(remark)
    return findings


def _on_single_classes(by_class: pd.DataFrame) -> list[Finding]:
    findings = []
    for row in by_class.itertuples(index=False) if len(by_class) else []:
        name, photos, had, has = row[:4]
        if photos < PHOTOS_OF_A_CLASS or had - has <= CLASS_MAY_LOSE:
            continue
        forgotten = has == 0
        findings.append(
            Finding(
                criterion=Criterion.CLASS_FORGOTTEN if forgotten else Criterion.CLASS_LOSS,
                outcome=Outcome.REFUSED if forgotten else Outcome.HELD,
                value=has,
                before=had,
                limit=CLASS_MAY_LOSE,
                count=had - has,
                photos=photos,
                names=(name,),
            )
        )
    return findings


def _by_class(compared: pd.DataFrame) -> pd.DataFrame:
    table = (
        compared.groupby("true_class")
        .agg(photos=("image_id", "size"), champion_right=("right_champion", "sum"), challenger_right=("right", "sum"))
        .rename_axis("class")
        .reset_index()
    )
    for whose in ("champion", "challenger"):
        table[f"{whose}_recall"] = table[f"{whose}_right"] / table["photos"]
    table["change"] = table["challenger_recall"] - table["champion_recall"]
    return table.sort_values(["change", "class"], ignore_index=True)
