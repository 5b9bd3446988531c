"""Making a decision: what a person says is checked, what the person saw is noted, and the file is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.review.class_names import ClassNames, class_names_of
from meter_pipeline.review.decisions import Decision, Seen, new_decision_id, write_decision
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS

_HEX_DIGITS = 64


def decide(
    layout: Layout,
    action: Action | str,
    image_ids: Iterable[str],
    *,
    by: str,
    target: str | Sequence[str] | None = None,
    source: str | None = None,
    cluster_id: int | None = None,
    decision_id: str | None = None,
    at: datetime | None = None,
    state: State | None = None,
) -> Decision:
    """Say something about photos, as a person who sees what is decided on them now.

    Args:
        layout: the data directory.
        action: what is said; to take a decision back, use `undo`.
        image_ids: of these photos.
        by: who says it; may be empty.
        target: the class of a name, in any spelling; the group's photos of an exclude.
        source: where it is said: cluster, import, ...
        cluster_id: the cluster that the person looks at.
        decision_id: its id; a new one if None.
        at: when; now if None.
        state: what the person sees; read from the files if None.

    Returns:
        The decision; its target is the class as its folder is called.

    Raises:
        MeterError: no photos, an id that is none, or a class that cannot be one.
        StorageError: the disk is full or not ours to write.
    """
    photos = tuple(dict.fromkeys(image_ids))
    if not photos:
        raise MeterError("No photos were named.", where=str(action), fix="Say which photos, or which cluster.")
    bad = [image_id for image_id in photos if not _is_image_id(image_id)]
    if bad:
        raise MeterError(
            f"{bad[0][:80]!r} is not the id of a photo.", where=str(action), fix="An id has 64 hex digits."
        )
    action = Action(action)
    if action == Action.UNDO:
        raise MeterError("An undo is about a decision, not about photos.", fix="Use undo.")
    state = state or current_state(layout)
    decision = Decision(
        decision_id=decision_id or new_decision_id(),
        at=at or datetime.now(UTC),
        by=by.strip(),
        action=action,
        image_ids=photos,
        target=_target(layout, action, target, state),
        source=source,
        seen=_seen(layout, state, photos, cluster_id),
    )
    write_decision(layout, decision)
    return decision


def undo(layout: Layout, decision_id: str, *, by: str, source: str | None = None) -> Decision:
    """Take a decision back, also an undo; it may be any that is there.

    Raises:
        MeterError: there is no such decision, or it is taken back already.
        StorageError: the disk is full or not ours to write.
    """
    state = current_state(layout)
    if decision_id not in {decision.decision_id for decision in state.order}:
        raise MeterError(
            "There is no such decision.", where=decision_id, fix="meter review show PHOTO names those on it."
        )
    if decision_id not in state.live:
        raise MeterError(
            "This decision does not count any more.", where=decision_id, fix="Undo the undo to restore it."
        )
    decision = Decision(
        decision_id=new_decision_id(),
        at=datetime.now(UTC),
        by=by.strip(),
        action=Action.UNDO,
        image_ids=(),
        undoes=decision_id,
        source=source,
    )
    write_decision(layout, decision)
    return decision


def _target(
    layout: Layout, action: Action, target: str | Sequence[str] | None, state: State
) -> str | tuple[str, ...] | None:
    if action == Action.NAME:
        if not isinstance(target, str):
            raise MeterError("No class was given.", where=str(action), fix="Say which class the photos are of.")
        return known_classes(layout, state).resolve(target)
    if action == Action.EXCLUDE and target is not None:
        group = (target,) if isinstance(target, str) else tuple(dict.fromkeys(target))
        bad = [image_id for image_id in group if not _is_image_id(image_id)]
        if bad:
            raise MeterError(
                f"{bad[0][:80]!r} is not the id of a photo.", where="group", fix="An id has 64 hex digits."
            )
        return group
    return None


def known_classes(layout: Layout, state: State) -> ClassNames:
    """Return the classes that have a folder, and those that photos were named and that have none yet."""
    named = {word.label for word in state.words.values() if word.label is not None}
    return ClassNames([*class_names_of(layout).known, *named])


def _seen(layout: Layout, state: State, photos: Sequence[str], cluster_id: int | None) -> Seen:
    last = {
        image_id: state.words[image_id].decision.decision_id if image_id in state.words else None for image_id in photos
    }
    return Seen(cluster_id, _revision(layout), champion_version(layout), last)


def _revision(layout: Layout) -> int | None:
    revisions = layout.lake.read(UNKNOWN_CLUSTERS, ["revision"])["revision"].to_pylist()
    return max(revisions, default=None)


def _is_image_id(text: str) -> bool:
    return len(text) == _HEX_DIGITS and set(text) <= set("0123456789abcdef")
