"""The words of the gate: every finding and every figure of a verdict as a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meter_pipeline.evaluation.gate.findings import ROUNDING, Criterion, Finding
from meter_pipeline.evaluation.gate.new_classes import NewClass, NewClasses
from meter_pipeline.evaluation.gate.old_classes import Comparison
from meter_pipeline.evaluation.gate.replay import ChangeKind, Replay
from meter_pipeline.labels import Outcome, counted

NAMES_SHOWN = 6
"""Names that a sentence spells out before it counts the rest."""
LOSSES_SHOWN = 3
"""Classes with the biggest loss that a sentence names."""


_SENTENCES = {
    Criterion.ROLLED_BACK: "It was in use and was rolled back: {first}.",
    Criterion.RECALL: "Macro recall on old classes fell by {loss:.3f}; {limit:.3f} is allowed.",
    Criterion.SIGN_TEST: (
        "{counted} went from right to wrong and {before:.0f} from wrong to right: more than chance explains (sign"
        " test, p < 0.05)."
    ),
    Criterion.CLASS_FORGOTTEN: "It forgets {first}: {before:.0f} of {tests} were right, now none is.",
    Criterion.CLASS_LOSS: "{first} loses {counted}: {before:.0f} of {photos} were right, now {value:.0f}.",
    Criterion.DROPPED_CLASSES: (
        "It no longer knows {names}. If that is on purpose, allow it with METER_ALLOW_DROPPED_CLASSES=true or in the"
        " run's config; otherwise put the photos back into data/raw and train again."
    ),
    Criterion.UNCOMPARED: "It needs at least {limit:.3f} to come in without a comparison, and has {value:.3f}.",
    Criterion.FEW_PHOTOS: (
        "Too few test photos to see one point: {photos} compared, and a single one moves the macro recall by up to"
        " {points:.1f} points."
    ),
    Criterion.NEW_CLASS: (
        "The new class {first} has recall {value:.2f} on {photos} {second}; at least {limit:.2f} is needed."
    ),
    Criterion.NEW_CLASS_UNMEASURED: "Too few photos to measure {names}: {limit:.0f} of a class are needed.",
    Criterion.NEW_NAMES: (
        "{count} of {photos} test photos of old classes get a new class's name ({names}); {limit:.0%} is allowed."
    ),
    Criterion.KNOWN_FLAGGED: (
        "It sends {value:.0%} of known photos to UNKNOWN ({count} of {tests}); {limit:.0%} is allowed."
    ),
    Criterion.HIDDEN_CAUGHT: "Of types that it was never shown it catches {value:.0%} instead of {before:.0%}.",
    Criterion.HIDDEN_UNMEASURED: (
        "What it catches of types that it was never shown is not measured; the model in use catches {before:.0%}."
    ),
    Criterion.GUARD_OFF: "Its guard is off: only low confidence keeps it from naming types that it does not know.",
    Criterion.JUNK_CAUGHT: (
        "Of {measured} that people marked as junk it leaves {value:.0%} without a name instead of {before:.0%}."
    ),
    Criterion.REJECTED: (
        "Names that a person rejected come back on {count} of {photos} such photos ({names}); the model in use does not"
        " name these so."
    ),
    Criterion.CONTRADICTED: (
        "Of {measured} that people named it names {count} otherwise, and the model in use does not."
    ),
    Criterion.NAMES_CHANGED: (
        "In the last drops {count} of {photos} sure names change to another old class ({names}); {limit:.0%} is"
        " allowed."
    ),
    Criterion.UNKNOWN_NAMED: (
        "It gains by naming everything: in the last drops {count} of {photos} UNKNOWN photos that nobody decided on get"
        " an old class's name; {limit:.0%} is allowed."
    ),
}
"""By criterion, with the fields of a finding."""
_REMARKS = {
    Criterion.DROPPED_CLASSES: "It no longer knows {names}, which was allowed.",
    Criterion.KNOWN_FLAGGED: (
        "It sends {value:.0%} of known photos to UNKNOWN; {limit:.0%} is allowed, but the model in use does no better."
    ),
    Criterion.HIDDEN_CAUGHT: (
        "Of types that it was never shown it catches {value:.0%} instead of {before:.0%}, which may be chance."
    ),
    Criterion.REJECTED: "It gives {valued} a name that a person rejected, as the model in use does.",
}
"""The same where a finding is only a remark."""


def sentences_of(
    outcome: Outcome,
    findings: Sequence[Finding],
    numbers: Comparison,
    new_classes: NewClasses,
    replay: Replay,
    *,
    tolerance: float,
) -> list[str]:
    """Return a verdict in words and numbers, the most important first.

    Args:
        outcome: the verdict.
        findings: what it follows from, the worst first.
        numbers: old classes.
        new_classes: new ones.
        replay: the last drops.
        tolerance: macro recall that the challenger was allowed to lose.
    """
    if numbers.champion is None:
        return [f"{numbers.challenger} is the first model.", _own_result(numbers)]
    if numbers.champion == numbers.challenger:
        return [f"{numbers.challenger} is already the champion."]
    against = [finding for finding in findings if finding.outcome != Outcome.ACCEPTED]
    remarks = [finding for finding in findings if finding.outcome == Outcome.ACCEPTED]
    few_photos = [finding for finding in remarks if finding.criterion == Criterion.FEW_PHOTOS]
    return [
        *_on_outcome(outcome, numbers),
        *(sentence_of(finding) for finding in against),
        *_on_recall(numbers, tolerance),
        *(sentence_of(finding) for finding in few_photos),
        *(_on_worst_losses(numbers) if against else []),
        *_on_new_classes(new_classes),
        *_on_changes(replay),
        *(sentence_of(finding) for finding in remarks if finding not in few_photos),
        *_on_photos_left_out(numbers),
    ]


def sentence_of(finding: Finding) -> str:
    """Return a finding in words and numbers."""
    text = _REMARKS.get(finding.criterion) if _is_remark(finding) else None
    names = finding.names or ("",)
    return (text or _SENTENCES[finding.criterion]).format(
        value=finding.value or 0.0,
        before=finding.before or 0.0,
        limit=finding.limit or 0.0,
        loss=(finding.before or 0.0) - (finding.value or 0.0),
        points=100 * (finding.value or 0.0),
        count=finding.count,
        photos=finding.photos,
        counted=counted(finding.count, "photo"),
        measured=counted(finding.photos, "photo"),
        tests=counted(finding.photos, "test photo"),
        valued=counted(round(finding.value or 0), "photo"),
        names=_names(names),
        first=names[0],
        second=names[-1],
    )


def _on_outcome(outcome: Outcome, numbers: Comparison) -> list[str]:
    match outcome:
        case Outcome.ACCEPTED:
            return [f"{numbers.challenger} replaces {numbers.champion}."]
        case Outcome.HELD:
            accept = f"meter model accept {numbers.challenger}"
            return [f"{numbers.champion} stays.", f"{numbers.challenger} is held until a person decides ({accept})."]
    return [f"{numbers.champion} stays.", f"{numbers.challenger} is refused."]


def _on_recall(numbers: Comparison, tolerance: float) -> list[str]:
    if numbers.change is None:
        return [f"No test photo compares it fairly with {numbers.champion}.", _own_result(numbers)]
    return [
        f"Macro recall {numbers.challenger_macro_recall:.3f} against {numbers.champion_macro_recall:.3f} on the same "
        f"{counted(numbers.n_common, 'test photo')}: {numbers.change:+.3f}, {tolerance:.3f} less is allowed.",
        f"{counted(numbers.wrong_to_right, 'photo')} went from wrong to right, "
        f"{numbers.right_to_wrong} from right to wrong.",
    ]


def _on_worst_losses(numbers: Comparison) -> list[str]:
    if numbers.change is None:
        return []
    lost = numbers.by_class[numbers.by_class["change"] < -ROUNDING].head(LOSSES_SHOWN)
    if lost.empty:
        return []
    rows = zip(lost["class"], lost["champion_recall"], lost["challenger_recall"], strict=True)
    return [f"Lost most: {', '.join(f'{name} {before:.2f} to {after:.2f}' for name, before, after in rows)}."]


def _on_new_classes(found: NewClasses) -> list[str]:
    if not found.classes:
        return []
    sentences = [f"New: {_names(_new_class(new) for new in found.classes)}."]
    if found.taken:
        pairs = _names(f"{old} as {new} ({count})" for old, new, count in found.taken)
        sentences.append(f"Test photos of old classes that get a new name: {pairs}.")
    return sentences


def _new_class(new: NewClass) -> str:
    if new.recall is None:
        return f"{new.name} (not measured)"
    return f"{new.name} (recall {new.recall:.2f} on {new.photos} {new.measured_on})"


def _on_changes(found: Replay) -> list[str]:
    if not found.photos:
        return []
    photos = {kind: found.photos_of(kind) for kind in ChangeKind}
    parts = [f"{count} {kind}" for kind, count in photos.items() if count and kind != ChangeKind.OTHER]
    sentences = [f"Names in the last {counted(found.photos, 'photo')} of drops: {', '.join(parts) or 'none changes'}."]
    if found.corrected:
        named = counted(found.judged, "photo")
        sentences.append(f"Of {named} that people named, {found.corrected} are right instead of wrong.")
    return sentences


def _on_photos_left_out(numbers: Comparison) -> list[str]:
    if not numbers.n_seen_in_training:
        return []
    return [f"{counted(numbers.n_seen_in_training, 'test photo')} left out: one of the two was trained on them."]


def _own_result(numbers: Comparison) -> str:
    if numbers.own_macro_recall is None:
        return "There are no test photos yet, so how good it is was not measured."
    return f"Macro recall {numbers.own_macro_recall:.3f} on its own {counted(numbers.own_photos, 'test photo')}."


def _is_remark(finding: Finding) -> bool:
    return finding.outcome == Outcome.ACCEPTED


def _names(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
