"""The drops folder as its listing shows it: which files people dropped, and which of them are complete.

Folders in it are read too, however deep. Links are not followed: what they lead to may be any file of this machine, or
a circle. A link, and a folder that nothing can be read from, is listed with its problem, so that somebody is told.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from meter_pipeline.errors import storage_errors
from meter_pipeline.ingest.sheets.accepted_files import SUFFIXES
from meter_pipeline.storage.files import TEMPORARY_PREFIX

MOST_LEVELS = 16
"""Of folders in folders."""
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
"""Endings that browsers, mail programs and file transfers give a file until it is complete; Safari's is a folder."""
_NOT_DROPPED = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)
"""What Windows, macOS and network drives put into folders by themselves."""
_EXCEL_TEMPORARY = re.compile(r"[0-9A-F]{7,8}")
"""Excel saves to a name of eight hex digits without suffix, then renames."""
_LINK = "This is a link, and links are not followed: put the file itself here."
_SHOWN_FILES = 3


class DropFile(NamedTuple):
    """A file in the drops folder, as the folder's listing shows it.

    Attributes:
        name: with the folders in the drops folder before it, separated by `/`; as the system gives it, so that it can
            be opened.
        bytes: its size.
        modified_ns: when its content was changed, which programs can set: `cp -p` copies it.
        changed_ns: when anything of it was changed, which none can set; on Windows, when it was made.
        problem: why it cannot be read; empty for a file.
    """

    name: str
    bytes: int
    modified_ns: int
    changed_ns: int = 0
    problem: str = ""

    @property
    def shown(self) -> str:
        """The name as text that can be written anywhere; bytes that are no text are shown by their number."""
        return self.name.encode("utf-8", "backslashreplace").decode("utf-8")


def listing(drops: Path) -> list[DropFile]:
    """Return what people dropped, by name, without files that are still being written.

    In folders, only spreadsheets are listed, or the folder itself if it holds none: people drop photos with them.
    """
    with storage_errors(drops):
        there = sorted(_in_folder(drops, "")) if drops.is_dir() else []
    listed = [file for file in there if file.problem or "/" not in file.name or file.name.lower().endswith(SUFFIXES)]
    told_of = {_outermost(file) for file in listed}
    untold: dict[str, list[DropFile]] = {}
    for file in there:
        if _outermost(file) not in told_of:
            untold.setdefault(_outermost(file), []).append(file)
    for name, files in untold.items():
        examples = ", ".join(file.shown.rpartition("/")[2] for file in files[:_SHOWN_FILES])
        more = ", ..." if len(files) > _SHOWN_FILES else ""
        listed.append(_problem(name, f"This folder holds no spreadsheet ({examples}{more})."))
    return sorted(listed)


def _outermost(file: DropFile) -> str:
    return file.name.partition("/")[0]


def _in_folder(folder: Path, prefix: str) -> Iterator[DropFile]:
    """Yield all that is in a folder and in its folders; what cannot be opened stops nothing else."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        path, shown = folder / name, prefix + name
        try:
            state = path.lstat()
            is_folder = stat.S_ISDIR(state.st_mode)
            if _is_temporary(name, is_folder=is_folder):
                continue
            if _is_link(state):
                yield _problem(shown, _LINK)
            elif is_folder and prefix.count("/") >= MOST_LEVELS:
                yield _problem(shown, f"Folders are read {MOST_LEVELS} levels deep: move this one up.")
            elif is_folder:
                yield from _in_folder(path, f"{shown}/")
            elif not stat.S_ISREG(state.st_mode):
                yield _problem(shown, "This is not a file but a pipe or a device: remove it.")
            else:
                # No inode: on network drives it may differ at every look, and the file would look new for ever.
                yield DropFile(shown, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        except FileNotFoundError:
            continue  # renamed or removed since it was listed
        except OSError as error:
            yield _problem(shown, f"It cannot be opened: {error.strerror}.")


def _problem(name: str, problem: str) -> DropFile:
    return DropFile(name, 0, 0, 0, problem)


def _is_link(state: os.stat_result) -> bool:
    """Return whether it leads elsewhere: a symbolic link, or a junction of Windows."""
    # Other reparse points are files that OneDrive and the like fetch when they are opened.
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(state.st_mode) or (junction is not None and getattr(state, "st_reparse_tag", 0) == junction)


def _is_temporary(name: str, *, is_folder: bool = False) -> bool:
    lower = name.lower()
    return (
        lower.startswith(_TEMPORARY_PREFIXES)
        or lower.endswith(_TEMPORARY_SUFFIXES)
        or lower in _NOT_DROPPED
        # A folder of that name is a date: 20260501.
        or (not is_folder and _EXCEL_TEMPORARY.fullmatch(name) is not None)
    )


def settled(found: Sequence[DropFile], previous: Iterable[DropFile]) -> tuple[list[DropFile], list[DropFile]]:
    """Tell files that are complete from files that are still growing.

    A file is complete when its size and times are the same as in the previous listing, some seconds ago. Copying can
    stall for longer; then what is read is refused or short, and read again when the file has changed.

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
