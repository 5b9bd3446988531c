"""Whether a file still holds what was written: its SHA-256, computed once per process while its size and times stay."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path

from meter_pipeline.storage.files import sha256_of

FILES_REMEMBERED = 8192
"""Hashes that a process keeps: shards and files of models are fewer, and a dashboard may run for years."""
_TOO_YOUNG_NS = 50_000_000
"""File systems write times in steps, 10 ms at most on Linux: what changes twice within one keeps its time."""


def difference(path: Path, *, size: int | None, sha256: str) -> str | None:
    """Return how a file differs from what was written, as the end of a sentence; None if it does not.

    Args:
        path: the file.
        size: bytes that were written; None: not known.
        sha256: their hash.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    status = path.stat()
    if size is not None and status.st_size != size:
        return f"has {status.st_size} bytes instead of {size}"
    return None if current_hash(path, status) == sha256 else "does not hold what was written (its SHA-256 differs)"


def current_hash(path: Path, status: os.stat_result | None = None) -> str:
    """Return the SHA-256 of a file; computed again only if its size or a time of it is new.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    status = status or path.stat()
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _TOO_YOUNG_NS:
        return sha256_of(path)
    return _hash(path, *stamp(status))


def stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what changes when a file does."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=FILES_REMEMBERED)
def _hash(path: Path, *_stamp: int) -> str:
    return sha256_of(path)
