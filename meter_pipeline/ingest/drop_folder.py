"""The drops folder as its listing shows it: which files people dropped, and which of them are complete."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from meter_pipeline.errors import storage_errors
from meter_pipeline.storage.files import TEMPORARY_PREFIX

_TEMPORARY_PREFIXES = (".", "~$", "~", TEMPORARY_PREFIX)
"""Hidden files, lock files of Excel (`~$`) and LibreOffice (`.~lock`), our own temporary files."""
_TEMPORARY_SUFFIXES = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".filepart",
    ".opdownload",
    ".swp",
    ".lock",
)
"""Endings that browsers, mail programs and file transfers give a file until it is complete."""
_NOT_DROPPED = frozenset({"thumbs.db", "desktop.ini"})
_EXCEL_TEMPORARY = re.compile(r"[0-9A-F]{7,8}")
"""Excel saves to a name of eight hex digits without suffix, then renames."""


class DropFile(NamedTuple):
    """A file in the drops folder, as the folder's listing shows it."""

    name: str
    bytes: int
    modified_ns: int


def listing(drops: Path) -> list[DropFile]:
    """Return the files that people dropped, by name; without folders and files that are still being written."""
    found = []
    with storage_errors(drops):
        for path in drops.iterdir() if drops.is_dir() else ():
            if _is_temporary(path.name):
                continue
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # renamed or removed since it was listed
            if path.is_file():
                found.append(DropFile(path.name, state.st_size, state.st_mtime_ns))
    return sorted(found)


def _is_temporary(name: str) -> bool:
    lower = name.lower()
    return (
        lower.startswith(_TEMPORARY_PREFIXES)
        or lower.endswith(_TEMPORARY_SUFFIXES)
        or lower in _NOT_DROPPED
        or _EXCEL_TEMPORARY.fullmatch(name) is not None
    )


def settled(found: Sequence[DropFile], previous: Iterable[DropFile]) -> tuple[list[DropFile], list[DropFile]]:
    """Tell files that are complete from files that are still growing.

    A file is complete when its size and time of change are the same as in the previous listing, some seconds ago.
    Copying can stall for longer; then what is read is refused or short, and read again when the file has changed.

    Args:
        found: the listing now.
        previous: the listing before.

    Returns:
        The complete files and the growing ones, each by name.
    """
    before = set(previous)
    return [file for file in found if file in before], [file for file in found if file not in before]


def listing_version(files: Iterable[DropFile]) -> str:
    """Return 16 hex digits that change when a file is added, changed or removed."""
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()[:16]
