"""Which models came into use and were rolled back, when, by whom and why: `models/history.json`; needs no torch.

`models/champion.json` is the truth of which model is in use. The history is written before it, so that a kill between
leaves entries of a change that never took effect: readers pass them over, and the next change takes them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sealed_json import problem_of, read_sealed, write_sealed


class ModelEvent(StrEnum):
    """What happened to a model."""

    ACCEPTED = "accepted"
    ROLLED_BACK = "rolled_back"
    RETURNED = "returned"


INTO_USE = frozenset({ModelEvent.ACCEPTED, ModelEvent.RETURNED})
"""Events that put a model into use: the gate or a person accepted it, or a roll-back went back to it."""
BY_THE_GATE = "gate"
"""Who put a model into use where nobody was asked."""


@dataclass(frozen=True)
class HistoryEntry:
    """One event of a model.

    Attributes:
        version: the model.
        event: what happened to it. A roll-back has two entries of one time: the model that is out of use
            (`rolled_back`), then the one that is in use again (`returned`).
        at: when, UTC, ISO 8601.
        by: who said so; `BY_THE_GATE`, or a person; empty where it was not said.
        reason: why.
        replaced: the model that was in use before; None if there was none, and of `rolled_back`.
    """

    version: str
    event: ModelEvent
    at: str
    by: str
    reason: str
    replaced: str | None = None


def read_history(layout: Layout, *, in_use: str | None, since: str | None) -> list[HistoryEntry]:
    """Return the events that took effect, oldest first.

    Args:
        layout: the data directory.
        in_use: the version that `champion.json` names; None if there is none.
        since: the time that it names.

    Raises:
        MeterError: the file cannot be read.
    """
    path = layout.model_history
    if not path.exists():
        return []
    try:
        events = read_sealed(path)["events"]
        entries = [HistoryEntry(**{**row, "event": ModelEvent(row["event"])}) for row in events]
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise MeterError(
            f"The history of the models cannot be read: the file {problem_of(error)}.",
            where=path,
            fix="Restore it from a backup, or delete it: which models were rolled back is then forgotten.",
        ) from error
    return _in_effect(entries, in_use, since)


def write_history(layout: Layout, entries: Sequence[HistoryEntry]) -> None:
    """Write the whole history, completely or not at all."""
    write_sealed(layout.model_history, {"events": [asdict(entry) for entry in entries]})


def last_roll_back(history: Sequence[HistoryEntry], version: str) -> HistoryEntry | None:
    """Return the entry by which a model was rolled back; None if it never was, or came into use again since."""
    own = [entry for entry in history if entry.version == version]
    return own[-1] if own and own[-1].event == ModelEvent.ROLLED_BACK else None


def before(history: Sequence[HistoryEntry], in_use: str) -> str | None:
    """Return the version to go back to: the one that the model in use replaced; None if there is none.

    A model that was rolled back is passed over: from `a`, `b`, back to `a` one goes back to what was before `a`.

    Args:
        history: the events, oldest first.
        in_use: the model in use.
    """
    line: list[str] = []
    for entry in history:
        if entry.event == ModelEvent.RETURNED and entry.version in line:
            line = line[: line.index(entry.version) + 1]
        elif entry.event in INTO_USE:
            line = [version for version in line if version != entry.version]
            line.append(entry.version)
    earlier = line[: line.index(in_use)] if in_use in line else line
    return earlier[-1] if earlier else None


def _in_effect(entries: list[HistoryEntry], in_use: str | None, since: str | None) -> list[HistoryEntry]:
    """Return the entries without those of a change after which `champion.json` was not written any more."""
    if in_use is None:
        return [entry for entry in entries if entry.at != entries[-1].at]
    place = [
        number
        for number, entry in enumerate(entries)
        if entry.event in INTO_USE and (entry.version, entry.at) == (in_use, since)
    ]
    # Without a place somebody put the model into use by hand: the history stays as it is.
    return entries[: place[-1] + 1] if place else entries
