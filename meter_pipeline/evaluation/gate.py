"""The gate a new model passes to come into use: no worse than the model in use on the same test photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

UNCOMPARED_FLOOR = 0.5
"""Macro recall on its own test photos that a new model needs where no photo compares it fairly: a model that cannot be
compared may come in, one that went astray may not."""
ROUNDING = 1e-9
"""Two recalls that differ by less are the same."""
NAMES_SHOWN = 6
"""Class names that a reason spells out before it counts the rest."""


@dataclass(frozen=True)
class Contender:
    """A model before the gate.

    Attributes:
        version: model version.
        classes: the classes it can name.
        audit: what it says to the test photos of today's data set (columns of `EVALUATION_AUDIT`; used: `image_id`,
            `true_class`, `predicted_class`). For the champion: run again on today's test photos, not its old report.
        trained_on: image ids it has seen in training or in the choice of its best epoch (train and val), and, where
            known, of their near-duplicates; not compared on these.
    """

    version: str
    classes: tuple[str, ...]
    audit: pd.DataFrame
    trained_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and on what grounds.

    Attributes:
        accepted: the challenger is the model in use from now on.
        reason: why, in words and numbers, for the UI and the log.
        challenger_macro_recall: on the compared photos, or on its own test photos where none could be compared; None
            where there are none.
        champion_macro_recall: on the compared photos; None where there are none.
        n_common: photos compared: of classes both know, and seen in training by neither.
        n_seen_in_training: test photos left out because one of the two was trained on them.
        right_to_wrong: compared photos that the champion has right and the challenger wrong.
        wrong_to_right: the other way round.
        new_classes: classes that only the challenger knows.
        new_class_photos: test photos of new classes.
        new_class_recall: the challenger's macro recall over the new classes that have test photos; None without.
        dropped_classes: classes that only the champion knows.
        by_class: a row a compared class: `class`, `photos`, `champion_recall`, `challenger_recall`, `change`; the
            biggest loss first.
    """

    accepted: bool
    reason: str
    challenger_macro_recall: float | None = None
    champion_macro_recall: float | None = None
    n_common: int = 0
    n_seen_in_training: int = 0
    right_to_wrong: int = 0
    wrong_to_right: int = 0
    new_classes: tuple[str, ...] = ()
    new_class_photos: int = 0
    new_class_recall: float | None = None
    dropped_classes: tuple[str, ...] = ()
    by_class: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)


def judge(
    challenger: Contender, champion: Contender | None, *, tolerance: float, allow_dropped_classes: bool = False
) -> Verdict:
    """Decide whether the newest model comes into use.

    The two are compared by macro recall on the test photos that are fair to both: of classes that both know (a champion
    cannot know a class that came later, and must not lose by it), and seen in training by neither (after a class grew,
    some of today's test photos were training photos of the champion). Top-1 classes count, whatever the confidence.

    Args:
        challenger: the newest model.
        champion: the model in use; None where there is none yet.
        tolerance: macro recall that the challenger may lose and still win (0 to 1).
        allow_dropped_classes: whether a challenger that no longer knows a class of the champion may win. Fewer classes
            are easier to tell apart, so it is not let through by its score: a person says that the class is gone on
            purpose.
    """
    new = tuple(sorted(set(challenger.classes) - set(champion.classes))) if champion else ()
    dropped = tuple(sorted(set(champion.classes) - set(challenger.classes))) if champion else ()
    own = challenger.audit[~challenger.audit["image_id"].isin(challenger.trained_on)]
    own_recall = macro_recall(own)
    if champion is None:
        return Verdict(True, f"{challenger.version} is the first model. {_own_result(own, own_recall)}", own_recall)
    if challenger.version == champion.version:
        return Verdict(True, f"{challenger.version} is already the champion.", own_recall, own_recall, len(own))

    shared = _shared_photos(challenger, champion)
    seen = shared["image_id"].isin(challenger.trained_on | champion.trained_on)
    compared = shared[~seen]
    by_class = _by_class(compared)
    challenger_recall = float(by_class["challenger_recall"].mean()) if len(by_class) else own_recall
    champion_recall = float(by_class["champion_recall"].mean()) if len(by_class) else None
    new_photos = own[own["true_class"].isin(new)]
    new_recall = macro_recall(new_photos)
    right_to_wrong = int((compared["champion_right"] & ~compared["challenger_right"]).sum())
    wrong_to_right = int((~compared["champion_right"] & compared["challenger_right"]).sum())

    accepted, why = True, ""
    if champion_recall is not None and challenger_recall is not None:
        accepted = challenger_recall >= champion_recall - tolerance - ROUNDING
        why = (
            f"Macro recall {challenger_recall:.3f} against {champion_recall:.3f} on the same "
            f"{_count(len(compared), 'test photo')}: {challenger_recall - champion_recall:+.3f}, "
            f"{tolerance:.3f} less is allowed."
        )
        why += f" {_count(wrong_to_right, 'photo')} went from wrong to right, {right_to_wrong} from right to wrong."
        if not accepted:
            why += _worst_losses(by_class)
    else:
        accepted = own_recall is None or own_recall >= UNCOMPARED_FLOOR
        why = f"No test photo compares it fairly with {champion.version}. {_own_result(own, own_recall)}"
        if not accepted:
            why += f" It needs at least {UNCOMPARED_FLOOR:.3f} to come in without a comparison."
    if seen.any():
        why += f" {_count(int(seen.sum()), 'test photo')} left out: one of the two was trained on them."
    if new:
        why += f" New: {_names(new)}"
        why += (
            f" (macro recall {new_recall:.3f} on {_count(len(new_photos), 'test photo')}, not part of the comparison)."
            if new_recall is not None
            else " (without test photos)."
        )
    if dropped:
        why += f" It no longer knows {_names(dropped)}"
        why += (
            ", which was allowed."
            if allow_dropped_classes
            else ". If that is on purpose, allow it with METER_ALLOW_DROPPED_CLASSES=true or in the run's config;"
            " otherwise put the photos back into data/raw and train again."
        )
        accepted = accepted and allow_dropped_classes
    verb = f"{challenger.version} replaces {champion.version}" if accepted else f"{champion.version} stays"
    return Verdict(
        accepted=accepted,
        reason=f"{verb}. {why}",
        challenger_macro_recall=challenger_recall,
        champion_macro_recall=champion_recall,
        n_common=len(compared),
        n_seen_in_training=int(seen.sum()),
        right_to_wrong=right_to_wrong,
        wrong_to_right=wrong_to_right,
        new_classes=new,
        new_class_photos=len(new_photos),
        new_class_recall=new_recall,
        dropped_classes=dropped,
        by_class=by_class,
    )


def macro_recall(audit: pd.DataFrame) -> float | None:
    """Return the mean recall over the true classes of an audit; None where it has no rows."""
    if audit.empty:
        return None
    right = audit["predicted_class"].eq(audit["true_class"]).fillna(False).astype(bool)
    return float(right.groupby(audit["true_class"]).mean().mean())


def _shared_photos(challenger: Contender, champion: Contender) -> pd.DataFrame:
    """Return the photos in both audits whose class both know; the challenger's audit carries today's labels."""
    common = set(challenger.classes) & set(champion.classes)
    columns = ["image_id", "true_class", "predicted_class"]
    ours = challenger.audit.loc[challenger.audit["true_class"].isin(common), columns]
    theirs = champion.audit[["image_id", "predicted_class"]]
    both = ours.merge(theirs, on="image_id", suffixes=("", "_champion"), validate="one_to_one").sort_values("image_id")
    truth = both["true_class"]
    both["challenger_right"] = both["predicted_class"].eq(truth).fillna(False).astype(bool)
    both["champion_right"] = both["predicted_class_champion"].eq(truth).fillna(False).astype(bool)
    return both.reset_index(drop=True)


def _by_class(compared: pd.DataFrame) -> pd.DataFrame:
    table = (
        compared.groupby("true_class")
        .agg(
            photos=("image_id", "size"),
            champion_recall=("champion_right", "mean"),
            challenger_recall=("challenger_right", "mean"),
        )
        .rename_axis("class")
        .reset_index()
    )
    table["change"] = table["challenger_recall"] - table["champion_recall"]
    return table.sort_values(["change", "class"], ignore_index=True)


def _own_result(own: pd.DataFrame, recall: float | None) -> str:
    if recall is None:
        return "There are no test photos yet, so how good it is was not measured."
    return f"Macro recall {recall:.3f} on its own {_count(len(own), 'test photo')}."


def _worst_losses(by_class: pd.DataFrame) -> str:
    lost = by_class[by_class["change"] < -ROUNDING].head(3)
    if lost.empty:
        return ""
    rows = zip(lost["class"], lost["champion_recall"], lost["challenger_recall"], strict=True)
    return f" Lost most: {', '.join(f'{name} {before:.2f} to {after:.2f}' for name, before, after in rows)}."


def _names(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
