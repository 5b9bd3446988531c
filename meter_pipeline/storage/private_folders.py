"""Folders that only their owner may read, where the system knows such a thing (not on Windows).

What is made new is closed to others; what is there already stays as people set it. Below a folder that its group may
write into, or that passes its group on (setgid), somebody shares on purpose: new folders are made as the system is set.
"""

from __future__ import annotations

import stat
from pathlib import Path

OWNER_ALONE = 0o700


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing; the new ones are readable by their owner alone.

    Raises:
        OSError: the disk is full or not ours to write, or a file stands in its place.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private(folder.parent)
    shared = folder.parent.stat().st_mode & (stat.S_IWGRP | stat.S_ISGID)
    folder.mkdir(mode=0o777 if shared else OWNER_ALONE, exist_ok=True)
