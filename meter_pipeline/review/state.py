"""The state that follows from decisions: the live word on each photo, disputes, and what belongs together or does not.

A fold over the decisions in one order that every computer comes to: by time, then by id, but each after those that its
author saw. The last live word on a photo counts; an undo takes its decision out wherever it stands.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import DECIDING_ACTIONS, Action, class_key
from meter_pipeline.review.class_names import ClassNames
from meter_pipeline.review.decisions import Decision


@dataclass(frozen=True)
class Word:
    """The live word on a photo.

    Attributes:
        decision: the decision that it is from.
        label: the class, as its folder is called; None unless the photo is named.
        disputed_labels: what others named it, where neither knew of the other; sorted.
        not_labels: classes that a person said it is not; sorted.
    """

    decision: Decision
    label: str | None = None
    disputed_labels: tuple[str, ...] = ()
    not_labels: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether the photo leaves the set that is clustered."""
        return self.decision.action in DECIDING_ACTIONS

    @property
    def disputed(self) -> bool:
        """Whether somebody else named it differently, and neither knew of the other."""
        return bool(self.disputed_labels)


@dataclass(frozen=True)
class Apart:
    """Photos that a person took out of a group: in no cluster with any of it.

    Attributes:
        out: those that are out, sorted.
        group: those that they are apart from, sorted.
    """

    out: tuple[str, ...]
    group: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What follows from the decisions.

    Attributes:
        words: the live word by image_id.
        together: groups of photos that belong together, sorted.
        apart: what does not, in order of the decisions.
        live: ids of the decisions that count.
        order: all decisions in the order in which they count.
        problems: a sentence for each decision that could not be applied.
    """

    words: Mapping[str, Word] = field(default_factory=dict)
    together: tuple[tuple[str, ...], ...] = ()
    apart: tuple[Apart, ...] = ()
    live: frozenset[str] = frozenset()
    order: tuple[Decision, ...] = ()
    problems: tuple[str, ...] = ()


def fold(decisions: Iterable[Decision], class_names: ClassNames) -> State:
    """Return the state that follows from decisions, whatever order they are given in.

    Args:
        decisions: each id once.
        class_names: the classes that are there; new ones get their spelling from the first decision that names them.
    """
    problems: list[str] = []
    order = _ordered(decisions, problems)
    taken_back = _taken_back(order, problems)
    labels = _labels(order, class_names, problems)
    live = [
        decision
        for decision in order
        if decision.decision_id not in taken_back and (decision.action != Action.NAME or decision.decision_id in labels)
    ]
    constraints = _Constraints()
    said: dict[str, list[Decision]] = {}
    for decision in live:
        constraints.take(decision)
        for image_id in decision.image_ids:
            said.setdefault(image_id, []).append(decision)
    place = {decision.decision_id: number for number, decision in enumerate(order)}
    words = {image_id: _word(image_id, all_said, labels, place) for image_id, all_said in said.items()}
    return State(
        words=_with_rejections(words, constraints.apart()),
        together=constraints.together(),
        apart=constraints.apart(),
        live=frozenset(decision.decision_id for decision in live),
        order=tuple(order),
        problems=tuple(problems),
    )


def _ordered(decisions: Iterable[Decision], problems: list[str]) -> list[Decision]:
    """Order decisions by time and id, each after those that its author saw (Kahn 1962, the earliest first)."""
    by_id = {decision.decision_id: decision for decision in decisions}
    after: dict[str, list[str]] = {}
    waits_for: dict[str, int] = {}
    for decision in by_id.values():
        seen = {before for before in decision.seen.last_decisions.values() if before in by_id}
        waits_for[decision.decision_id] = len(seen)
        for before in seen:
            after.setdefault(before, []).append(decision.decision_id)
    remaining = {decision_id: (by_id[decision_id].at, decision_id) for decision_id in by_id}
    ready = [key for decision_id, key in remaining.items() if not waits_for[decision_id]]
    heapq.heapify(ready)
    order: list[Decision] = []
    while remaining:
        if not ready:  # two that claim to have seen each other: the earliest goes first
            key = min(remaining.values())
            problems.append(
                f"Decision {key[1]} and others claim to have seen each other; they count by their times."
                " Correct the program that wrote them."
            )
            heapq.heappush(ready, key)
        _, decision_id = heapq.heappop(ready)
        if remaining.pop(decision_id, None) is None:
            continue
        order.append(by_id[decision_id])
        for later in after.get(decision_id, ()):
            waits_for[later] -= 1
            if waits_for[later] == 0 and later in remaining:
                heapq.heappush(ready, remaining[later])
    return order


def _taken_back(order: Sequence[Decision], problems: list[str]) -> set[str]:
    """Return the decisions that a live undo takes back; an undo that is taken back itself takes nothing back."""
    undos: dict[str, list[str]] = {}
    ids = {decision.decision_id for decision in order}
    for decision in order:
        if decision.action == Action.UNDO and decision.undoes is not None:
            undos.setdefault(decision.undoes, []).append(decision.decision_id)
            if decision.undoes not in ids:
                problems.append(
                    f"Decision {decision.decision_id} undoes {decision.undoes}, which is not there yet. It counts once"
                    " that comes."
                )
    settled: dict[str, bool] = {}
    circles: set[str] = set()
    for decision_id in undos:
        _settle(decision_id, undos, settled, circles)
    for decision_id in sorted(circles):
        problems.append(f"Decision {decision_id} undoes itself by way of others; it has no effect. Delete one of them.")
    return {decision_id for decision_id, is_live in settled.items() if not is_live} | circles


def _settle(start: str, undos: Mapping[str, list[str]], settled: dict[str, bool], circles: set[str]) -> None:
    """Find out whether a decision is live: it is if no live undo takes it back. Chains may be thousands long."""
    path, on_path = [start], {start}
    while path:
        current = path[-1]
        if current in settled or current in circles:
            on_path.discard(path.pop())
            continue
        open_undos = [undo for undo in undos.get(current, ()) if undo not in settled and undo not in circles]
        circle = next((undo for undo in open_undos if undo in on_path), None)
        if circle is not None:
            circles.update(path[path.index(circle) :])
        elif open_undos:
            path.append(open_undos[0])
            on_path.add(open_undos[0])
        else:
            settled[current] = not any(settled.get(undo, False) for undo in undos.get(current, ()))


def _labels(order: Sequence[Decision], class_names: ClassNames, problems: list[str]) -> dict[str, str]:
    """Return the class of each name, by decision; one that cannot be a class has none."""
    labels = {}
    for decision in order:
        if decision.action != Action.NAME:
            continue
        try:
            labels[decision.decision_id] = class_names.resolve(str(decision.target))
        except MeterError as error:
            problems.append(
                f"Decision {decision.decision_id} has no effect: {error.what} Undo it, and name them again."
            )
    return labels


def _word(image_id: str, said: Sequence[Decision], labels: Mapping[str, str], place: Mapping[str, int]) -> Word:
    last = said[-1]
    if last.action != Action.NAME:
        return Word(last)
    label = labels[last.decision_id]
    seen = last.seen.last_decisions.get(image_id)
    # Whoever saw the last word on a photo saw what was said before it.
    known_until = place.get(seen, -1) if seen is not None else -1
    unknown = {
        labels[earlier.decision_id]
        for earlier in said[:-1]
        if earlier.action == Action.NAME and earlier.by != last.by and place[earlier.decision_id] > known_until
    }
    others = sorted(other for other in unknown if class_key(other) != class_key(label))
    return Word(last, label, tuple(others))


def _with_rejections(words: dict[str, Word], apart: Sequence[Apart]) -> dict[str, Word]:
    """Say of each photo that was taken out of a group that is named by now: it is not of that class."""
    rejected: dict[str, set[str]] = {}
    for each in apart:
        named = (words[image_id] for image_id in each.group if image_id in words)
        labels = {word.label for word in named if word.label is not None and not word.disputed}
        for image_id in each.out if labels else ():
            rejected.setdefault(image_id, set()).update(labels)
    result = dict(words)
    for image_id, labels in rejected.items():
        if image_id in words:
            word = words[image_id]
            not_labels = tuple(sorted(labels - {word.label or ""}))
            result[image_id] = Word(word.decision, word.label, word.disputed_labels, not_labels)
    return result


class _Constraints:
    """What belongs together and what does not, as it grows decision by decision.

    Groups grow into the largest of them, and only the exclusions of photos that move are looked at, so that ten
    thousand decisions take a second.
    """

    def __init__(self) -> None:
        self._group_of: dict[str, int] = {}
        self._members: dict[int, set[str]] = {}
        self._apart: dict[int, Apart] = {}
        self._apart_of: dict[str, list[int]] = {}
        self._last_number = 0

    def take(self, decision: Decision) -> None:
        if decision.action == Action.GROUP:
            self._join(set(decision.image_ids))
        elif decision.action == Action.EXCLUDE:
            self._take_out(set(decision.image_ids), set(decision.group))

    def together(self) -> tuple[tuple[str, ...], ...]:
        return tuple(sorted(tuple(sorted(members)) for members in self._members.values() if len(members) > 1))

    def apart(self) -> tuple[Apart, ...]:
        return tuple(self._apart.values())

    def _join(self, photos: set[str]) -> None:
        """Make one group of the photos and of all groups that they are in; exclusions within it are over."""
        touched = {self._group_of[image_id] for image_id in photos if image_id in self._group_of}
        number = max(touched, key=lambda each: (len(self._members[each]), each), default=self._next_number())
        members = self._members.setdefault(number, set())
        moved = (photos - members).union(*(self._members.pop(other) for other in touched if other != number))
        members |= moved
        self._group_of.update(dict.fromkeys(moved, number))
        for place in sorted({place for image_id in moved for place in self._apart_of.get(image_id, ())}):
            self._loosen(place, members)

    def _loosen(self, place: int, members: set[str]) -> None:
        """Let an exclusion go as far as it lies within one group."""
        apart = self._apart.get(place)
        if apart is None or members.isdisjoint(apart.out) or members.isdisjoint(apart.group):
            return
        out = tuple(image_id for image_id in apart.out if image_id not in members)
        if out:
            self._apart[place] = Apart(out, apart.group)
        else:
            del self._apart[place]

    def _take_out(self, out: set[str], group: set[str]) -> None:
        """Take photos out of the group that they are in, if it is the one meant, and keep them apart from it."""
        if not group:
            numbers = {self._group_of[image_id] for image_id in out if image_id in self._group_of}
            group = set().union(*(self._members[number] for number in numbers))
        group = group - out
        for image_id in sorted(out):
            number = self._group_of.get(image_id)
            if number is not None and not self._members[number].isdisjoint(group):
                self._members[number].discard(image_id)
                del self._group_of[image_id]
        if group:
            place = self._next_number()
            self._apart[place] = Apart(tuple(sorted(out)), tuple(sorted(group)))
            for image_id in out | group:
                self._apart_of.setdefault(image_id, []).append(place)

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number
