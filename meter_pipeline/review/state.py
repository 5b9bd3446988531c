"""The state that follows from decisions: the live word on each photo, disputes, and what belongs together or does not.

A fold over the decisions in one order that every computer comes to: by time, then by id, but each after those that its
author saw. The last live word on a photo counts; an undo takes its decision out wherever it stands.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import DECIDING_ACTIONS, Action, class_key
from meter_pipeline.review.class_names import ClassNames
from meter_pipeline.review.decisions import Decision

T = TypeVar("T")


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
        taken_back: ids of the decisions that an undo took back.
        order: all decisions in the order in which they count.
        problems: a sentence for each decision that could not be applied.
    """

    words: Mapping[str, Word] = field(default_factory=dict)
    together: tuple[tuple[str, ...], ...] = ()
    apart: tuple[Apart, ...] = ()
    live: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()
    order: tuple[Decision, ...] = ()
    problems: tuple[str, ...] = ()


def fold(decisions: Iterable[Decision], class_names: ClassNames) -> State:
    """Return the state that follows from decisions, whatever order they are given in.

    Args:
        decisions: each id once.
        class_names: the classes that are there; new ones get their spelling from the first live decision that names
            them. It stays as it is.
    """
    problems: list[str] = []
    order = _ordered(decisions, problems)
    taken_back = _taken_back(order, problems)
    still_said = [decision for decision in order if decision.decision_id not in taken_back]
    labels = _labels(still_said, ClassNames(class_names.known), problems)
    live = [each for each in still_said if each.action != Action.NAME or each.decision_id in labels]
    constraints = _Constraints()
    for decision in live:
        constraints.take(decision)
    apart = constraints.apart()
    words = _words(live, labels, {decision.decision_id: number for number, decision in enumerate(order)})
    return State(
        words=_with_rejections(words, apart),
        together=constraints.together(),
        apart=apart,
        live=frozenset(decision.decision_id for decision in live),
        taken_back=frozenset(taken_back),
        order=tuple(order),
        problems=tuple(problems),
    )


def _ordered(decisions: Iterable[Decision], problems: list[str]) -> list[Decision]:
    """Order decisions by time and id, each after those that its author saw."""
    by_time = sorted(decisions, key=lambda decision: (decision.at, decision.decision_id))
    place = {decision.decision_id: number for number, decision in enumerate(by_time)}
    for number, decision in enumerate(by_time):
        if any(place.get(before, -1) >= number for before in {*decision.seen.last_decisions.values()} if before):
            return _ordered_by_what_they_saw(by_time, problems)
    return by_time


def _ordered_by_what_they_saw(decisions: Iterable[Decision], problems: list[str]) -> list[Decision]:
    """Order decisions where clocks contradict what people saw (Kahn 1962, always the earliest of those that may go)."""
    by_id = {decision.decision_id: decision for decision in decisions}
    waiting = {decision_id: (decision.at, decision_id) for decision_id, decision in by_id.items()}
    saw = {decision_id: _seen_before(decision, by_id, problems) for decision_id, decision in sorted(by_id.items())}
    seen_by: dict[str, list[str]] = {}
    for decision_id, seen in saw.items():
        for before in seen:
            seen_by.setdefault(before, []).append(decision_id)
    ready = [key for decision_id, key in waiting.items() if not saw[decision_id]]
    heapq.heapify(ready)
    order: list[Decision] = []
    while waiting:
        if not ready:
            ready.append(_first_of_circle(waiting, saw, problems))
        _, decision_id = heapq.heappop(ready)
        del waiting[decision_id]
        order.append(by_id[decision_id])
        for later in seen_by.get(decision_id, ()):
            saw[later].discard(decision_id)
            if not saw[later] and later in waiting:
                heapq.heappush(ready, waiting[later])
    return order


def _seen_before(decision: Decision, by_id: Mapping[str, Decision], problems: list[str]) -> set[str]:
    """Return which of the decisions that are there its author saw."""
    seen = {before for before in {*decision.seen.last_decisions.values()} if before is not None and before in by_id}
    if decision.decision_id in seen:
        seen.discard(decision.decision_id)
        problems.append(
            f"Decision {decision.decision_id} claims to have seen itself; that is left out of account."
            " Correct the program that wrote it."
        )
    return seen


def _first_of_circle(
    waiting: Mapping[str, tuple[datetime, str]], saw: Mapping[str, set[str]], problems: list[str]
) -> tuple[datetime, str]:
    """Return the earliest of some decisions that claim to have seen each other, where all others wait for such."""
    current = min(waiting.values())[1]
    path: dict[str, None] = {}
    while current not in path:
        path[current] = None
        current = min(waiting[before] for before in saw[current])[1]
    circle = [*path][[*path].index(current) :]
    problems.append(
        f"Decisions {' and '.join(sorted(circle)[:3])} claim to have seen each other; the earliest counts first."
        " Correct the program that wrote them."
    )
    return min(waiting[decision_id] for decision_id in circle)


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


def _words(live: Sequence[Decision], labels: Mapping[str, str], place: Mapping[str, int]) -> dict[str, Word]:
    """Return the live word on each photo.

    Photos of one decision share what is the same for them: lists for each of 100,000 photos take longer than the rest.
    """
    last: dict[str, Decision] = {}
    named: dict[str, tuple[Decision, ...]] = {}
    for decision in live:
        last.update(dict.fromkeys(decision.image_ids, decision))
        if decision.action == Action.NAME:
            _append(named, decision.image_ids, decision)
    plain = {decision.decision_id: Word(decision, labels.get(decision.decision_id)) for decision in live}
    words = {image_id: plain[decision.decision_id] for image_id, decision in last.items()}
    for image_id, names in named.items():
        if len(names) > 1 and last[image_id] is names[-1]:
            words[image_id] = Word(names[-1], labels[names[-1].decision_id], _disputing(image_id, names, labels, place))
    return words


def _disputing(
    image_id: str, names: Sequence[Decision], labels: Mapping[str, str], place: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what others named a photo that the last one to name it did not know of."""
    last = names[-1]
    label, seen = labels[last.decision_id], last.seen.last_decisions.get(image_id)
    # Whoever saw the last word on a photo saw what was said before it.
    known_until = place.get(seen, -1) if seen is not None else -1
    unknown = {
        labels[earlier.decision_id]
        for earlier in names[:-1]
        if earlier.by != last.by and place[earlier.decision_id] > known_until
    }
    return tuple(sorted(other for other in unknown if class_key(other) != class_key(label)))


def _with_rejections(words: dict[str, Word], apart: Sequence[Apart]) -> dict[str, Word]:
    """Say of each photo that was taken out of a group that is named by now: it is not of that class."""
    label_of = {image_id: word.label for image_id, word in words.items() if word.label and not word.disputed}
    rejected: dict[str, tuple[frozenset[str], ...]] = {}
    for each in apart:
        labels = frozenset(label_of[image_id] for image_id in each.group if image_id in label_of)
        if labels:
            _append(rejected, each.out, labels)
    result = dict(words)
    for image_id, of_groups in rejected.items():
        word = words[image_id]
        not_labels = tuple(sorted(frozenset().union(*of_groups) - {word.label}))
        result[image_id] = Word(word.decision, word.label, word.disputed_labels, not_labels)
    return result


def _append(lists: dict[str, tuple[T, ...]], keys: Iterable[str], value: T) -> None:
    """Put a value behind those of each key; keys with nothing but it share one tuple."""
    alone = (value,)
    for key in keys:
        before = lists.get(key)
        lists[key] = (*before, value) if before else alone


class _Constraints:
    """What belongs together and what does not, as it grows decision by decision.

    Groups grow into the largest of them, and only the exclusions of photos that move are looked at, so that ten
    thousand decisions take a second.
    """

    def __init__(self) -> None:
        self._group_of: dict[str, int] = {}
        self._members: dict[int, set[str]] = {}
        self._exclusions: list[_Exclusion] = []
        self._exclusions_of: dict[str, tuple[int, ...]] = {}
        self._last_number = 0

    def take(self, decision: Decision) -> None:
        if decision.action == Action.GROUP:
            self._join(set(decision.image_ids))
        elif decision.action == Action.EXCLUDE:
            self._take_out(set(decision.image_ids), set(decision.group))

    def together(self) -> tuple[tuple[str, ...], ...]:
        return tuple(sorted(tuple(sorted(members)) for members in self._members.values() if len(members) > 1))

    def apart(self) -> tuple[Apart, ...]:
        return tuple(each for exclusion in self._exclusions for each in exclusion.left())

    def _join(self, photos: set[str]) -> None:
        """Make one group of the photos and of all groups that they are in; exclusions within it are over."""
        touched = {self._group_of[image_id] for image_id in photos if image_id in self._group_of}
        number = max(touched, key=lambda each: (len(self._members[each]), each), default=self._next_number())
        members = self._members.setdefault(number, set())
        moved = (photos - members).union(*(self._members.pop(other) for other in touched if other != number))
        members |= moved
        self._group_of.update(dict.fromkeys(moved, number))
        for place in {place for image_id in moved for place in self._exclusions_of.get(image_id, ())}:
            self._exclusions[place].loosen(members)

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
            _append(self._exclusions_of, out | group, len(self._exclusions))
            self._exclusions.append(_Exclusion(out, group))

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number


class _Exclusion:
    """Photos that were taken out of a group, and for which pairs of them a later word says that they belong together.

    Args:
        out: those that are out.
        group: those that they are apart from; none of them is out.
    """

    def __init__(self, out: set[str], group: set[str]) -> None:
        self._out, self._group = out, group
        self._joined: dict[str, set[str]] = {}

    def loosen(self, members: set[str]) -> None:
        """Let go what is said of two photos that are both among these."""
        if members.isdisjoint(self._out) or members.isdisjoint(self._group):
            return
        joined = self._group & members
        for image_id in self._out & members:
            self._joined.setdefault(image_id, set()).update(joined)

    def left(self) -> Iterator[Apart]:
        """Yield what still holds, in an order of its own content."""
        by_group: dict[tuple[str, ...], list[str]] = {}
        whole = tuple(sorted(self._group))
        for image_id in sorted(self._out):
            joined = self._joined.get(image_id)
            group = tuple(other for other in whole if other not in joined) if joined else whole
            by_group.setdefault(group, []).append(image_id)
        for group, out in by_group.items():
            if group:
                yield Apart(tuple(out), group)
