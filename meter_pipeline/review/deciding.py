"""Making a decision: what a person says is checked, what the person saw is noted, and the file is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.review.class_names import ClassNames, class_names_of
from meter_pipeline.review.decisions import Decision, Seen, in_utc, is_image_id, new_decision_id, write_decision
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS


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
        decision_id: its id; a new one if None. Said again with the same id, it is one decision.
        at: when; now if None. Without a zone it is UTC.
        state: what the person sees; read from the files if None.

    Returns:
        The decision; its target is the class as its folder is called.

    Raises:
        MeterError: no photos, an action or an id that is none, a class that cannot be one, or an id under which
            something else was said.
        StorageError: the disk is full or not ours to write.
    """
    action = _action(action)
    photos = tuple(dict.fromkeys(image_ids))
    if not photos:
        raise MeterError("No photos were named.", where=str(action), fix="Say which photos, or which cluster.")
    _check_image_ids(photos, str(action))
    state = state or current_state(layout)
    decision = Decision(
        decision_id=decision_id or new_decision_id(),
        at=in_utc(at) if at else datetime.now(UTC),
        by=_person(by),
        action=action,
        image_ids=photos,
        target=_target(layout, action, target, state),
        source=source,
        seen=_seen(layout, state, photos, cluster_id),
    )
    earlier = next((each for each in state.order if each.decision_id == decision_id), None)
    if earlier is not None:
        return _said_again(decision, earlier)
    write_decision(layout, decision)
    return decision


def undo(
    layout: Layout, decision_id: str, *, by: str, source: str | None = None, state: State | None = None
) -> Decision:
    """Take a decision back, also an undo; it may be any that is there.

    Args:
        layout: the data directory.
        decision_id: the decision.
        by: who takes it back; may be empty.
        source: where it is said.
        state: what is decided; read from the files if None.

    Raises:
        MeterError: there is no such decision, or it is taken back already.
        StorageError: the disk is full or not ours to write.
    """
    state = state or current_state(layout)
    if decision_id not in {decision.decision_id for decision in state.order}:
        raise MeterError(
            "There is no such decision.", where=decision_id, fix="meter review show PHOTO names those on it."
        )
    if decision_id in state.taken_back:
        raise MeterError(
            "This decision does not count any more.", where=decision_id, fix="Undo the undo to restore it."
        )
    decision = Decision(
        decision_id=new_decision_id(),
        at=datetime.now(UTC),
        by=_person(by),
        action=Action.UNDO,
        image_ids=(),
        undoes=decision_id,
        source=source,
    )
    write_decision(layout, decision)
    return decision


def _action(word: Action | str) -> Action:
    try:
        action = Action(word)
    except ValueError as error:
        known = ", ".join(each for each in Action if each != Action.UNDO)
        raise MeterError("This cannot be said of photos.", where=str(word)[:80], fix=f"Use one of {known}.") from error
    if action == Action.UNDO:
        raise MeterError("An undo is about a decision, not about photos.", fix="Use undo.")
    return action


def _person(by: str) -> str:
    """Return who decides as text that a file can hold: a terminal may give characters that are not."""
    return by.strip().encode("utf-8", "replace").decode()


def _check_image_ids(image_ids: Iterable[str], where: str) -> None:
    bad = next((image_id for image_id in image_ids if not is_image_id(image_id)), None)
    if bad is not None:
        raise MeterError(f"{bad[:80]!r} is not the id of a photo.", where=where, fix="An id has 64 hex digits.")


def _said_again(decision: Decision, earlier: Decision) -> Decision:
    """Return the decision that was made under this id before, where it says the same."""
    if any(getattr(decision, name) != getattr(earlier, name) for name in ("by", "action", "image_ids", "target")):
        raise MeterError(
            "Something else was decided under this id.",
            where=decision.decision_id,
            fix="Give each decision its own id.",
        )
    return earlier


def _target(
    layout: Layout, action: Action, target: str | Sequence[str] | None, state: State
) -> str | tuple[str, ...] | None:
    if action == Action.NAME:
        if not isinstance(target, str):
            raise MeterError("No class was given.", where=str(action), fix="Say which class the photos are of.")
        return known_classes(layout, state).resolve(target)
    if action == Action.EXCLUDE and target is not None:
        group = (target,) if isinstance(target, str) else tuple(dict.fromkeys(target))
        _check_image_ids(group, "group")
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
