"""Decision files: one immutable JSON file for each thing that a person said about photos, written whole or not at all.

The format is the contract's (docs/loop.md). Files come from any program and any computer, late, twice and in any order;
one that cannot be used is a sentence for a person, and stops nothing.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.labels import Action
from meter_pipeline.storage.files import write_json
from meter_pipeline.storage.layout import Layout

ENDING = ".json"
LARGEST_FILE_BYTES = 50_000_000
"""A decision on 100,000 photos has some 14 MB."""
_FIELDS = frozenset({"decision_id", "at", "by", "action", "image_ids", "target", "undoes", "source", "seen"})
_NEEDED = ("decision_id", "at", "action", "image_ids")
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_ID_RULE = "An id has up to 100 letters, digits, dots, hyphens and underscores, and no dot in front."
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can spell it, no file and no table can hold it."""
_CORRECT = "Correct the program that wrote it, or delete the file."
_RIGHT = "Give this user the right to read it."


@dataclass(frozen=True)
class Seen:
    """What a person saw when deciding.

    Attributes:
        cluster_id: the cluster that was open; None: none, or not said.
        revision: revision of the clusters.
        model_version: the model in use.
        last_decisions: image_id to the decision that was the last one on it; None where there was none. A photo that
            is not in it was not looked up.
    """

    cluster_id: int | None = None
    revision: int | None = None
    model_version: str | None = None
    last_decisions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """One thing that a person said.

    Attributes:
        decision_id: sorts by time; the same id twice is one decision.
        at: when, UTC.
        by: who; may be empty.
        action: what is said.
        image_ids: of these photos, each once; none for an undo.
        target: the class of a name; the group's photos of an exclude; otherwise None.
        undoes: the decision that an undo takes back.
        source: where it was made: cluster, import, command line, ...; None: not said.
        seen: what the person saw.
    """

    decision_id: str
    at: datetime
    by: str
    action: Action
    image_ids: tuple[str, ...]
    target: str | tuple[str, ...] | None = None
    undoes: str | None = None
    source: str | None = None
    seen: Seen = Seen()

    @property
    def group(self) -> tuple[str, ...]:
        """The group's photos of an exclude; empty where none were named."""
        return self.target if isinstance(self.target, tuple) else ()


@dataclass(frozen=True)
class ReadDecisions:
    """The decisions of a folder.

    Attributes:
        decisions: those that can be used, by id.
        problems: a sentence for each file that cannot, with its name and what to do.
    """

    decisions: tuple[Decision, ...]
    problems: tuple[str, ...]


class _NotUsable(ValueError):
    """Why a file is not a decision."""


def new_decision_id() -> str:
    """Return a new id that sorts by time: a UUID of version 7 (RFC 9562)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def write_decision(layout: Layout, decision: Decision) -> Path:
    """Write a decision's file, completely or not at all; one that is there already stays as it is.

    Raises:
        MeterError: its id cannot be the name of a file.
        StorageError: the disk is full or not ours to write.
    """
    if not _ID.fullmatch(decision.decision_id):
        raise MeterError(
            f"{decision.decision_id[:100]!r} cannot be the id of a decision.", where="decision_id", fix=_ID_RULE
        )
    path = layout.decisions / f"{decision.at.astimezone(UTC):%Y-%m}" / f"{decision.decision_id}{ENDING}"
    with storage_errors(path):
        is_there = path.exists()
    if not is_there:
        write_json(path, _as_json(decision))
    return path


def read_decisions(layout: Layout, kept: dict[str, Decision] | None = None) -> ReadDecisions:
    """Read all decisions; a file that cannot be used becomes a problem.

    Args:
        layout: the data directory.
        kept: decisions by their file's path, which are not read again: files never change. Filled by what is read.
    """
    kept = {} if kept is None else kept
    found: dict[str, Decision] = {}
    name_of: dict[str, str] = {}
    problems: list[str] = []
    for name, path in sorted(_files(layout.decisions, "", problems)):
        try:
            decision = kept[path] if path in kept else kept.setdefault(path, _parsed(_read(path)))
        except _NotUsable as problem:
            problems.append(f"Decision file {name}: {problem}")
            continue
        known = found.setdefault(decision.decision_id, decision)
        first = name_of.setdefault(decision.decision_id, name)
        if known != decision:
            # Whichever came first here, every computer takes the same one.
            found[decision.decision_id] = min(known, decision, key=lambda each: json.dumps(_as_json(each)))
            problems.append(
                f"Decision file {name}: {first} has the same decision_id and says something else. Only one of them"
                " counts. Delete the wrong one."
            )
    return ReadDecisions(tuple(found[decision_id] for decision_id in sorted(found)), tuple(problems))


def time_of(text: str) -> datetime:
    """Return a time in ISO 8601 as UTC; one without a zone is UTC.

    Raises:
        ValueError: it is not a time, or one that no calendar of ours has.
    """
    when = datetime.fromisoformat(text)
    try:
        return in_utc(when)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def in_utc(when: datetime) -> datetime:
    """Return a time as UTC; one without a zone is UTC already."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def is_image_id(text: str) -> bool:
    """Return whether a text is the id of a photo."""
    return _IMAGE_ID.fullmatch(text) is not None


def _files(folder: str | Path, prefix: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the decision files below a folder with their names relative to it; links become problems."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        name = f"data/review/decisions/{prefix}"
        problems.append(
            f"Folder {name}: it cannot be read ({_said(error)}), and none of the decisions in it counts. {_RIGHT}"
        )
        return
    for entry in entries:
        name = prefix + entry.name.encode("utf-8", "backslashreplace").decode()
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, f"{name}/", problems)
        elif entry.name.endswith(ENDING) and entry.is_file(follow_symlinks=False):
            yield name, entry.path
        elif entry.is_symlink() and (entry.name.endswith(ENDING) or entry.is_dir()):
            problems.append(
                f"Decision file {name}: it is a link, and links are not followed. Copy what it leads to here."
            )


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a Path for each of 10,000 takes as long)
            if os.fstat(file.fileno()).st_size > LARGEST_FILE_BYTES:
                raise _NotUsable(f"it has more than {LARGEST_FILE_BYTES:,} bytes. Delete it.")
            content = json.loads(file.readall())
    except OSError as error:
        raise _NotUsable(f"it cannot be read ({_said(error)}). {_RIGHT}") from error
    except (ValueError, RecursionError) as error:
        raise _NotUsable("it is not whole JSON. Copy it again from where it was made, or delete it.") from error
    if not isinstance(content, dict):
        raise _NotUsable("it is not a JSON object. Delete it, or correct the program that wrote it.")
    return content


def _said(error: OSError) -> str:
    return error.strerror or str(error)


def _parsed(content: Mapping[str, Any]) -> Decision:
    unknown = sorted(content.keys() - _FIELDS)
    if unknown:
        raise _NotUsable(f"it was written by a newer version of this program (field {unknown[0]!r}). Update this one.")
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise _NotUsable(f"it has no {missing[0]}. {_CORRECT}")
    action_word = _text(content, "action")
    try:
        action = Action(action_word)
    except ValueError as error:
        raise _NotUsable(
            f"it was written by a newer version of this program (action {action_word!r}). Update this one."
        ) from error
    decision_id = _text(content, "decision_id")
    if not _ID.fullmatch(decision_id):
        raise _NotUsable(f"its decision_id is not one. {_ID_RULE} {_CORRECT}")
    at_text = _text(content, "at")
    try:
        at = time_of(at_text)
    except ValueError as error:
        raise _NotUsable(f"its `at` is not a time like 2026-11-28T18:00:00Z. {_CORRECT}") from error
    image_ids = _image_ids(content["image_ids"], "image_ids")
    undoes = content.get("undoes")
    if action == Action.UNDO:
        if not isinstance(undoes, str) or not undoes:
            raise _NotUsable(f"it is an undo and does not say of what: `undoes` is missing. {_CORRECT}")
    elif not image_ids:
        raise _NotUsable(f"it names no photos. {_CORRECT}")
    return Decision(
        decision_id=decision_id,
        at=at,
        by=_text(content, "by", default=""),
        action=action,
        image_ids=() if action == Action.UNDO else image_ids,
        target=_target(action, content.get("target")),
        undoes=undoes if action == Action.UNDO else None,
        source=_text(content, "source", default="") or None,
        seen=_seen(content.get("seen")),
    )


def _text(content: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    value = content.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or _LONE_SURROGATE.search(value):
        raise _NotUsable(f"its {name} is not text. {_CORRECT}")
    return value


def _image_ids(value: Any, name: str) -> tuple[str, ...]:
    try:
        are_ids = isinstance(value, list) and all(map(_IMAGE_ID.fullmatch, value))
    except TypeError:  # one of them is no text
        are_ids = False
    if not are_ids:
        raise _NotUsable(f"its {name} is not a list of photo ids (64 hex digits, lower case). {_CORRECT}")
    return tuple(dict.fromkeys(value))


def _target(action: Action, value: object) -> str | tuple[str, ...] | None:
    if action == Action.NAME:
        if not isinstance(value, str) or not value.strip():
            raise _NotUsable(f"it is a name and does not say which: `target` is missing. {_CORRECT}")
        return value
    if action == Action.EXCLUDE and value is not None:
        return _image_ids(value, "target")
    return None


def _seen(value: object) -> Seen:
    """Return what was seen; what is not as it should be counts as not said, as it decides on nothing by itself."""
    if not isinstance(value, dict):
        return Seen()
    last = value.get("last_decisions")
    known = last.items() if isinstance(last, dict) else ()
    cluster_id, revision, model = (value.get(name) for name in ("cluster_id", "revision", "model_version"))
    return Seen(
        cluster_id=cluster_id if isinstance(cluster_id, int) else None,
        revision=revision if isinstance(revision, int) else None,
        model_version=model if isinstance(model, str) else None,
        last_decisions={key: before for key, before in known if before is None or isinstance(before, str)},
    )


def _as_json(decision: Decision) -> dict[str, Any]:
    seen = decision.seen
    return {
        "decision_id": decision.decision_id,
        "at": decision.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "by": decision.by,
        "action": decision.action.value,
        "image_ids": list(decision.image_ids),
        "target": list(decision.target) if isinstance(decision.target, tuple) else decision.target,
        "undoes": decision.undoes,
        "source": decision.source,
        "seen": {
            "cluster_id": seen.cluster_id,
            "revision": seen.revision,
            "model_version": seen.model_version,
            "last_decisions": dict(seen.last_decisions),
        },
    }
