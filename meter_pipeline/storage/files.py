"""Files that are written completely or not at all: write under a temporary name, flush, rename."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meter_pipeline.errors import storage_errors
from meter_pipeline.storage.private_folders import make_private

TEMPORARY_PREFIX = ".tmp-"
LARGEST_TEMPORARY_NAME = 64
"""Bytes of a temporary file's name, where the name of what it becomes is not longer."""
LARGEST_NAME = 150
"""Bytes in UTF-8 of a name made from people's words: file systems take 255, endings and numbers are added to it."""
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Signs that nobody sees or that turn the direction of reading, as a class of a regular expression; joiners stay."""
_FORBIDDEN = re.compile(f'[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029{INVISIBLE}\ud800-\udfff\ufffe\uffff]+')
"""What Windows does not take, what no UTF-8 can hold, and what makes a name look like another."""
WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) ?(\..*)?")
"""What Windows takes for a device, whatever ending it has."""
_JOINER = "\u200d"
_VIRAMA = 9
"""Canonical combining class of the sign that ties an Indic consonant to the next."""


@contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error.

    Works for a file and for a folder; an existing folder is replaced.

    Args:
        path: the file or folder.
        flush: whether a file is on the disk before it takes its place, so that no power failure leaves it empty.
    """
    temporary = path.with_name(_temporary_name(path.name))
    with storage_errors(path):
        make_private(path.parent)
        try:
            yield temporary
            if flush and temporary.is_file():
                with temporary.open("r+b") as handle:  # Windows flushes only what may be written
                    os.fsync(handle.fileno())
            if temporary.is_dir() and path.exists():
                old = path.with_name(_temporary_name(path.name))
                path.rename(old)
                temporary.rename(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write a file completely or not at all; `flush` as of `replacing`."""
    with replacing(path, flush=flush) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 file completely or not at all, with Unix line ends."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file (sorted keys, indented) completely or not at all."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def safe_name(text: str, *, fallback: str = "unnamed", limit: int = 80) -> str:
    """Return `text` as a file name that Windows and Linux take, in one Unicode form, that never leaves its folder.

    Args:
        text: what people called it.
        fallback: the name where nothing is left of `text`; before a name that Windows takes for a device.
        limit: most characters; there are never more than `LARGEST_NAME` bytes. No letter is parted from its marks.
    """
    name = _cut(_FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip(" ._"), limit)
    if WINDOWS_DEVICE.fullmatch(name):
        name = _cut(f"{fallback}_{name}", limit)
    return name or fallback


def _cut(name: str, limit: int) -> str:
    end = min(len(name), limit)
    while _size(name[:end]) > LARGEST_NAME:
        end -= 1
    whole = end
    while 0 < whole < len(name) and _belongs_together(name[whole - 1], name[whole]):
        whole -= 1
    return name[: whole or end].strip(" ._")


def _belongs_together(left: str, right: str) -> bool:
    """Return whether two neighbours are one letter for who reads them: marks, joined letters, shades of an emoji."""
    is_mark = (
        unicodedata.category(right).startswith("M") or right in "\u200c\u200d" or "\U0001f3fb" <= right <= "\U0001f3ff"
    )
    return is_mark or left == _JOINER or unicodedata.combining(left) == _VIRAMA


def _temporary_name(name: str) -> str:
    """Return a new name that ends like `name` and fits wherever it does: it is no longer, short names apart."""
    start = f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:8]}-"
    room = max(_size(name), LARGEST_TEMPORARY_NAME) - len(start)
    while _size(name) > room:
        name = name[1:]
    return start + name


def _size(name: str) -> int:
    return len(os.fsencode(name))
