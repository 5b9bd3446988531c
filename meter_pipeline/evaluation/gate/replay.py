"""The gate on the last drops, named again: names that change without a reason, and UNKNOWN photos that get names.

What a person said of a photo goes before a comparison of two models; changes to a new class or to UNKNOWN are what
the round was for, and are only counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, is_name
from meter_pipeline.evaluation.gate.findings import ROUNDING, Criterion, Finding, is_over
from meter_pipeline.labels import FinalLabel, Outcome

NAMES_MAY_CHANGE = 0.02
"""Share of sure names that may change from one old class to another (LOOP section 5); the same of people's names."""
UNKNOWN_MAY_BE_NAMED = 0.20
"""Share of the UNKNOWN photos that nobody decided on that may get an old class's name."""
NAMES_EVERYTHING = 0.60
"""Above this share the model is refused: it gains by naming everything."""
FEWEST_UNKNOWN = 10
"""UNKNOWN photos below which it is not refused for these."""
PHOTOS_SHOWN = 12
"""Photos of a change that a report lists, to be shown side by side."""


class ChangeKind(StrEnum):
    """From what to what a final label changed."""

    OLD_TO_OLD = "one old class to another"
    TO_NEW = "to a new class"
    TO_UNKNOWN = "to UNKNOWN"
    UNKNOWN_TO_OLD = "UNKNOWN to an old class"
    OTHER = "other"


@dataclass(frozen=True)
class Change:
    """Photos whose final label changed in the same way.

    Attributes:
        before: the champion's final label.
        after: the challenger's.
        kind: from what to what.
        photos: how many photos.
        image_ids: up to `PHOTOS_SHOWN` of them, those of the newest drop first.
    """

    before: str
    after: str
    kind: ChangeKind
    photos: int
    image_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The last drops under both models, in numbers of photos.

    Attributes:
        photos: compared; those marked as junk, and those that a model was trained on, are left out.
        judged: photos of these that a person named: their names are compared with that, and with nothing else.
        contradicted: image ids of those that the challenger names otherwise than the person, and the champion does not.
        corrected: the other way round.
        sure: photos that nobody named and the champion gives the name of a class that both know.
        changed: of these, those that the challenger gives the name of another old class.
        unknown: UNKNOWN by the champion, and nobody decided on them.
        unknown_named: of these, those that the challenger gives an old class's name.
        changes: what changed to what, where nobody named the photo; by kind, then the most photos first.
    """

    photos: int = 0
    judged: int = 0
    contradicted: tuple[str, ...] = ()
    corrected: int = 0
    sure: int = 0
    changed: int = 0
    unknown: int = 0
    unknown_named: int = 0
    changes: tuple[Change, ...] = ()

    def photos_of(self, kind: ChangeKind) -> int:
        """Return how many final labels changed in this way."""
        return sum(change.photos for change in self.changes if change.kind == kind)


def measure_replay(drops: DropPhotos, *, old_classes: frozenset[str], kept_classes: frozenset[str]) -> Replay:
    """Compare both models on photos of the last drops.

    Args:
        drops: the photos.
        old_classes: what the champion can name.
        kept_classes: what both can name.
    """
    counts: dict[str, int] = defaultdict(int)
    changed: dict[tuple[str, str], list[str]] = defaultdict(list)
    contradicted: list[str] = []
    for image_id in drops.last:
        word = drops.words.get(image_id)
        if not drops.has_both(image_id) or (word and word.is_junk):
            continue
        before, after = drops.champion[image_id], drops.challenger[image_id]
        counts["photos"] += 1
        if word and word.label:
            wrong_before, wrong_after = (is_name(label) and not word.confirms(label) for label in (before, after))
            counts["judged"] += 1
            counts["corrected"] += wrong_before and not wrong_after
            if wrong_after and not wrong_before:
                contradicted.append(image_id)
            continue
        if before != after:
            changed[before, after].append(image_id)
        if before in kept_classes:
            counts["sure"] += 1
            counts["changed"] += after != before and after in old_classes
        elif before == FinalLabel.UNKNOWN and not (word and word.is_decided):
            counts["unknown"] += 1
            counts["unknown_named"] += after in old_classes
    changes = [
        Change(before, after, _kind(before, after, old_classes), len(photos), tuple(photos[:PHOTOS_SHOWN]))
        for (before, after), photos in changed.items()
    ]
    kinds = list(ChangeKind)
    ordered = sorted(changes, key=lambda c: (kinds.index(c.kind), -c.photos, c.before, c.after))
    return Replay(**counts, contradicted=tuple(contradicted), changes=tuple(ordered))


def on_replay(found: Replay) -> list[Finding]:
    """Return what speaks against a challenger by the names that it gives to the last drops."""
    findings = []
    if is_over(found.unknown_named, found.unknown, UNKNOWN_MAY_BE_NAMED):
        names_everything = found.unknown_named > NAMES_EVERYTHING * found.unknown + ROUNDING
        is_refused = names_everything and found.unknown >= FEWEST_UNKNOWN
        findings.append(
            Finding(
                criterion=Criterion.UNKNOWN_NAMED,
                outcome=Outcome.REFUSED if is_refused else Outcome.HELD,
                value=found.unknown_named / found.unknown,
                limit=UNKNOWN_MAY_BE_NAMED,
                count=found.unknown_named,
                photos=found.unknown,
            )
        )
    contradicted = len(found.contradicted)
    if is_over(contradicted, found.judged, NAMES_MAY_CHANGE):
        findings.append(
            Finding(
                criterion=Criterion.CONTRADICTED,
                outcome=Outcome.HELD,
                value=contradicted / found.judged,
                limit=NAMES_MAY_CHANGE,
                count=contradicted,
                photos=found.judged,
            )
        )
    if is_over(found.changed, found.sure, NAMES_MAY_CHANGE):
        pairs = [c for c in found.changes if c.kind == ChangeKind.OLD_TO_OLD]
        findings.append(
            Finding(
                criterion=Criterion.NAMES_CHANGED,
                outcome=Outcome.HELD,
                value=found.changed / found.sure,
                limit=NAMES_MAY_CHANGE,
                count=found.changed,
                photos=found.sure,
                names=tuple(f"{c.before} to {c.after} ({c.photos})" for c in pairs),
            )
        )
    return findings


def _kind(before: str, after: str, old_classes: frozenset[str]) -> ChangeKind:
    if after == FinalLabel.UNKNOWN:
        return ChangeKind.TO_UNKNOWN
    if is_name(after) and after not in old_classes:
        return ChangeKind.TO_NEW
    if after in old_classes and before in old_classes:
        return ChangeKind.OLD_TO_OLD
    if after in old_classes and before == FinalLabel.UNKNOWN:
        return ChangeKind.UNKNOWN_TO_OLD
    return ChangeKind.OTHER
