"""The gate a new model passes to come into use: no worse than the model in use on the same test photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

UNCOMPARED_FLOOR = 0.5
"""Macro recall on its own test photos that a new model needs where no photo compares it fairly: a model that cannot be
compared may come in, one whose training diverged may not."""
ROUNDING = 1e-9
"""Two recalls that differ by less are the same."""
NAMES_SHOWN = 6
"""Class names that a reason spells out before it counts the rest."""
LOSSES_SHOWN = 3
"""Classes with the biggest loss that a reason names."""


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
        n_seen_in_training: test photos left out because one of the two was trained on them.
        new_classes: classes that only the challenger knows.
        new_class_photos: test photos of new classes.
        new_class_recall: the challenger's macro recall over the new classes that have test photos.
        dropped_classes: classes that only the champion knows.
        by_class: one row per compared class: `class`, `photos`, `champion_recall`, `challenger_recall`, `change`; the
            biggest loss first.
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
    n_seen_in_training: int = 0
    new_classes: tuple[str, ...] = ()
    new_class_photos: int = 0
    new_class_recall: float | None = None
    dropped_classes: tuple[str, ...] = ()
    by_class: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)

    @property
    def change(self) -> float | None:
        """Macro recall that the challenger gains over the champion on the compared photos; None without such."""
        if self.challenger_macro_recall is None or self.champion_macro_recall is None:
            return None
        return self.challenger_macro_recall - self.champion_macro_recall


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and on what grounds.

    Attributes:
        accepted: the challenger is the model in use from now on.
        recall_suffices: its macro recall is good enough; it may still be refused for the classes it dropped.
        comparison: the numbers it was decided on.
        tolerance: macro recall that it was allowed to lose.
        allow_dropped_classes: whether it was allowed to know fewer classes.
    """

    accepted: bool
    recall_suffices: bool
    comparison: Comparison
    tolerance: float
    allow_dropped_classes: bool = False

    @property
    def reason(self) -> str:
        """Why, in words and numbers, for the Dagster UI, the log, the dashboard and `champion.json`."""
        numbers = self.comparison
        if numbers.champion is None:
            return f"{numbers.challenger} is the first model. {_own_result(numbers)}"
        if numbers.champion == numbers.challenger:
            return f"{numbers.challenger} is already the champion."
        outcome = (
            f"{numbers.challenger} replaces {numbers.champion}." if self.accepted else f"{numbers.champion} stays."
        )
        sentences = [outcome, *_on_recall(self), *_on_photos_left_out(numbers), *_on_classes(self)]
        return " ".join(sentences)


def judge(
    challenger: Contender, champion: Contender | None, *, tolerance: float, allow_dropped_classes: bool = False
) -> Verdict:
    """Decide whether the challenger comes into use.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; None if there is none yet.
        tolerance: macro recall that the challenger may lose and still win (0 to 1).
        allow_dropped_classes: whether a challenger that no longer knows a class of the champion may win. Fewer classes
            are easier to tell apart, so it is not let through by its score: a person says that the class is gone on
            purpose.
    """
    numbers = compare(challenger, champion)
    suffices = _recall_suffices(numbers, tolerance)
    return Verdict(
        accepted=suffices and (allow_dropped_classes or not numbers.dropped_classes),
        recall_suffices=suffices,
        comparison=numbers,
        tolerance=tolerance,
        allow_dropped_classes=allow_dropped_classes,
    )


def compare(challenger: Contender, champion: Contender | None) -> Comparison:
    """Measure both models on the test photos that are fair to both.

    These are the photos of classes that both know (a champion cannot know a class that came later, and must not lose by
    it), and seen in training by neither (after a class grew, some of today's test photos were training photos of the
    champion). Top-1 classes count, whatever the confidence.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; None if there is none yet.
    """
    own = challenger.audit[~challenger.audit["image_id"].isin(challenger.trained_on)]
    if champion is None or champion.version == challenger.version:  # nothing to compare with, or only itself
        return Comparison(challenger.version, champion.version if champion else None, len(own), macro_recall(own))
    shared = _shared_photos(challenger, champion)
    seen = shared["image_id"].isin(challenger.trained_on | champion.trained_on)
    compared = shared[~seen]
    by_class = _by_class(compared)
    new = tuple(sorted(set(challenger.classes) - set(champion.classes)))
    new_photos = own[own["true_class"].isin(new)]
    return Comparison(
        challenger=challenger.version,
        champion=champion.version,
        own_photos=len(own),
        own_macro_recall=macro_recall(own),
        n_common=len(compared),
        challenger_macro_recall=float(by_class["challenger_recall"].mean()) if len(by_class) else None,
        champion_macro_recall=float(by_class["champion_recall"].mean()) if len(by_class) else None,
        right_to_wrong=int((compared["champion_right"] & ~compared["challenger_right"]).sum()),
        wrong_to_right=int((~compared["champion_right"] & compared["challenger_right"]).sum()),
        n_seen_in_training=int(seen.sum()),
        new_classes=new,
        new_class_photos=len(new_photos),
        new_class_recall=macro_recall(new_photos),
        dropped_classes=tuple(sorted(set(champion.classes) - set(challenger.classes))),
        by_class=by_class,
    )


def macro_recall(audit: pd.DataFrame) -> float | None:
    """Return the mean recall over the true classes of an audit; None if it has no rows."""
    if audit.empty:
        return None
    right = audit["predicted_class"].eq(audit["true_class"]).fillna(False).astype(bool)
    return float(right.groupby(audit["true_class"]).mean().mean())


def _recall_suffices(numbers: Comparison, tolerance: float) -> bool:
    if numbers.champion in (None, numbers.challenger):
        return True
    if numbers.change is not None:
        return numbers.change >= -tolerance - ROUNDING
    return numbers.own_macro_recall is None or numbers.own_macro_recall >= UNCOMPARED_FLOOR


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


def _on_recall(verdict: Verdict) -> list[str]:
    numbers = verdict.comparison
    if numbers.change is None:
        sentences = [f"No test photo compares it fairly with {numbers.champion}.", _own_result(numbers)]
        if not verdict.recall_suffices:
            sentences.append(f"It needs at least {UNCOMPARED_FLOOR:.3f} to come in without a comparison.")
        return sentences
    sentences = [
        f"Macro recall {numbers.challenger_macro_recall:.3f} against {numbers.champion_macro_recall:.3f} on the same "
        f"{_count(numbers.n_common, 'test photo')}: {numbers.change:+.3f}, {verdict.tolerance:.3f} less is allowed.",
        f"{_count(numbers.wrong_to_right, 'photo')} went from wrong to right, "
        f"{numbers.right_to_wrong} from right to wrong.",
    ]
    return sentences if verdict.recall_suffices else [*sentences, *_on_worst_losses(numbers.by_class)]


def _on_worst_losses(by_class: pd.DataFrame) -> list[str]:
    lost = by_class[by_class["change"] < -ROUNDING].head(LOSSES_SHOWN)
    if lost.empty:
        return []
    rows = zip(lost["class"], lost["champion_recall"], lost["challenger_recall"], strict=True)
    return [f"Lost most: {', '.join(f'{name} {before:.2f} to {after:.2f}' for name, before, after in rows)}."]


def _on_photos_left_out(numbers: Comparison) -> list[str]:
    if not numbers.n_seen_in_training:
        return []
    return [f"{_count(numbers.n_seen_in_training, 'test photo')} left out: one of the two was trained on them."]


def _on_classes(verdict: Verdict) -> list[str]:
    numbers, sentences = verdict.comparison, []
    if numbers.new_classes and numbers.new_class_recall is None:
        sentences.append(f"New: {_names(numbers.new_classes)} (without test photos).")
    elif numbers.new_classes:
        sentences.append(
            f"New: {_names(numbers.new_classes)} (macro recall {numbers.new_class_recall:.3f} on "
            f"{_count(numbers.new_class_photos, 'test photo')}, not part of the comparison)."
        )
    if numbers.dropped_classes and verdict.allow_dropped_classes:
        sentences.append(f"It no longer knows {_names(numbers.dropped_classes)}, which was allowed.")
    elif numbers.dropped_classes:
        sentences.append(
            f"It no longer knows {_names(numbers.dropped_classes)}. If that is on purpose, allow it with "
            "METER_ALLOW_DROPPED_CLASSES=true or in the run's config; otherwise put the photos back into data/raw and "
            "train again."
        )
    return sentences


def _own_result(numbers: Comparison) -> str:
    if numbers.own_macro_recall is None:
        return "There are no test photos yet, so how good it is was not measured."
    return f"Macro recall {numbers.own_macro_recall:.3f} on its own {_count(numbers.own_photos, 'test photo')}."


def _names(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
