"""What people decided, as tables: one row per photo with its live word, and which photos belong together or do not."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from meter_pipeline.ingest.erased_rows import ErasedRows
from meter_pipeline.labels import Action, ConstraintKind, counted
from meter_pipeline.photos.store import stored_ids
from meter_pipeline.review.class_names import class_names_of
from meter_pipeline.review.decisions import Decision, read_decisions
from meter_pipeline.review.state import State, Word, fold
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_INVENTORY, REVIEW_CONSTRAINTS, REVIEWED_IMAGES

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewSummary:
    """What people decided, in numbers of photos.

    Attributes:
        photos: photos that somebody said something of.
        named: those named a class.
        junk: those called junk.
        disputed: named photos on which people disagree.
        problems: decisions that could not be applied.
    """

    photos: int
    named: int
    junk: int
    disputed: int
    problems: int


def current_state(layout: Layout, kept: dict[str, Decision] | None = None) -> State:
    """Return the state that follows from the decision files that are there now; their problems are among its own.

    Args:
        layout: the data directory.
        kept: decisions that were read before, as for `read_decisions`.
    """
    read = read_decisions(layout, kept)
    state = fold(read.decisions, class_names_of(layout))
    return replace(state, problems=(*read.problems, *state.problems))


def review_photos(layout: Layout) -> ReviewSummary:
    """Write `reviewed_images` and `review_constraints` from the decision files; the same files give the same rows."""
    state = current_state(layout)
    erased = _erased(layout, state)
    rows = [_row(image_id, state.words[image_id]) for image_id in sorted(state.words) if image_id not in erased]
    constraints = [row for row in _constraints(state) if row["image_id"] not in erased]
    layout.lake.replace(REVIEW_CONSTRAINTS, pd.DataFrame(constraints, columns=list(REVIEW_CONSTRAINTS.columns)))
    layout.lake.replace(REVIEWED_IMAGES, pd.DataFrame(rows, columns=list(REVIEWED_IMAGES.columns)))
    words = [word for image_id, word in state.words.items() if image_id not in erased]
    actions = Counter(word.decision.action for word in words)
    summary = ReviewSummary(
        photos=len(rows),
        named=actions[Action.NAME],
        junk=actions[Action.JUNK],
        disputed=sum(word.disputed for word in words),
        problems=len(state.problems),
    )
    _logger.info(
        "%s on %s: %d named, %d junk, %d disputed",
        counted(len(state.live), "decision"),
        counted(summary.photos, "photo"),
        summary.named,
        summary.junk,
        summary.disputed,
    )
    for problem in state.problems:
        _logger.warning("%s", problem)
    return summary


def decision_problems(layout: Layout) -> list[str]:
    """Return what is wrong with the decision files, one sentence each: broken, too new, about photos not there."""
    state = current_state(layout)
    return [*state.problems, *_missing_photos(layout, state)]


def _missing_photos(layout: Layout, state: State) -> Iterator[str]:
    live = [decision for decision in state.order if decision.decision_id in state.live]
    if not live:
        return
    there, erased = _photos_here(layout), _erased(layout, state)
    for decision in live:
        missing = [image_id for image_id in decision.image_ids if image_id not in there and image_id not in erased]
        if missing:
            yield (
                f"Decision file {file_name(decision)}: {len(missing)} of its {len(decision.image_ids)} photos are not"
                f" here, {missing[0][:12]} among them. Bring the photos here (data/images), or undo the decision."
            )


def _photos_here(layout: Layout) -> set[str]:
    return stored_ids(layout) | set(layout.lake.frame(IMAGE_INVENTORY, ["image_id"])["image_id"].dropna())


def _erased(layout: Layout, state: State) -> set[str]:
    """Return the photos of decisions that were erased and have not come back since: nothing is said of them."""
    erased = ErasedRows.read(layout)
    if not erased.photos:
        return set()
    named = {image_id for decision in state.order for image_id in (*decision.image_ids, *decision.group)}
    return {image_id for image_id in named - _photos_here(layout) if erased.has_photo(image_id)}


def file_name(decision: Decision) -> str:
    """Return the name of a decision's file, below data/review/decisions."""
    return f"{decision.at:%Y-%m}/{decision.decision_id}.json"


def _row(image_id: str, word: Word) -> dict[str, object]:
    decision = word.decision
    return {
        "image_id": image_id,
        "action": decision.action.value,
        "label": word.label,
        "by": decision.by,
        "at": decision.at.isoformat(),
        "decision_id": decision.decision_id,
        "disputed": word.disputed,
        "disputed_labels": _listed(word.disputed_labels),
        "not_labels": _listed(word.not_labels),
    }


def _listed(labels: tuple[str, ...]) -> str | None:
    return json.dumps(labels, ensure_ascii=False) if labels else None


def _constraints(state: State) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, group in enumerate(state.together):
        rows += [_constraint(ConstraintKind.TOGETHER, number, False, image_id) for image_id in group]
    for number, apart in enumerate(state.apart):
        rows += [_constraint(ConstraintKind.APART, number, True, image_id) for image_id in apart.out]
        rows += [_constraint(ConstraintKind.APART, number, False, image_id) for image_id in apart.group]
    return rows


def _constraint(kind: ConstraintKind, number: int, is_out: bool, image_id: str) -> dict[str, object]:
    return {"constraint_id": f"{kind}-{number:06d}", "kind": kind.value, "is_out": is_out, "image_id": image_id}
