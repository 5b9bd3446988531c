"""Which files are in `data/raw/<CLASS>/`: their listing, in order, and its digest. Imports nothing heavy.

What the files hold is examined in `image_inventory`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GROUPS_FILE = "groups.csv"
"""Directly in data/raw: which photos show one physical meter (`declared_groups`)."""
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "$recycle.bin", "system volume information"}
)


class ListedFile(NamedTuple):
    """A file as the directory shows it.

    Attributes:
        path: relative to the listed folder, with forward slashes.
        bytes: its size.
        modified_ns: when it was last written, nanoseconds since 1970.
        is_link: whether it is a symbolic link (to a file or a folder); links are not followed.
    """

    path: str
    bytes: int
    modified_ns: int
    is_link: bool = False


def list_files(folder: Path) -> list[ListedFile]:
    """List the files below a folder, sorted by path; none if the folder does not exist.

    Hidden names (with a dot in front, half-written files of ours among them) and what file managers leave behind
    (Thumbs.db, desktop.ini, @eaDir) are left out.
    """
    return sorted(_walk(folder, ""))


def listing_digest(folder: Path) -> str:
    """Return 32 hex digits that change when a file below `folder` is added, removed, renamed, resized or rewritten.

    Reads names, sizes and times only, so it is quick for 100,000 files.
    """
    digest = hashlib.sha256()
    for file in list_files(folder):
        digest.update(f"{file.path}\0{file.bytes}\0{file.modified_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _walk(folder: Path | str, prefix: str) -> Iterator[ListedFile]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return  # never there, or removed while we were listing
    with entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
                continue
            path = prefix + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(entry.path, path + "/")
                    continue
                # Windows leaves size and time out of the listing of a file that is open; stat asks for them again.
                found = os.lstat(entry.path)
            except FileNotFoundError:
                continue
            yield ListedFile(path, found.st_size, found.st_mtime_ns, entry.is_symlink())
