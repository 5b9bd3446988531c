"""Folders that only their owner may read, where the system knows such a thing (not on Windows).

What is made new is closed to others; what is there already stays as people set it. Below a folder that its group may
write into, or that passes its group on (setgid), somebody shares on purpose: new folders are that group's too, as
far as the umask lets, and still nobody else's. A folder for everybody's files (sticky, as /tmp) is no such folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

OWNER_ALONE, OWNER_AND_GROUP = 0o700, 0o770


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing; the new ones are closed to others.

    Raises:
        OSError: the disk is full or not ours to write, or a file stands in its place.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private(folder.parent)
    above = folder.parent.stat().st_mode
    is_shared = above & (stat.S_IWGRP | stat.S_ISGID) and not above & stat.S_ISVTX
    folder.mkdir(mode=OWNER_AND_GROUP if is_shared else OWNER_ALONE, exist_ok=True)


def open_to_others(paths: Iterable[Path]) -> list[Path]:
    """Return those of some files and folders that every user of this machine may read; none where rights are others."""
    if os.name == "nt":
        return []
    return [path for path in paths if path.exists() and _is_open(path)]


def _is_open(path: Path) -> bool:
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents):
        return False
    return bool(path.stat().st_mode & (stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)))
