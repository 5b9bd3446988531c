"""Keeps the kept trunk outputs within their limit: those that no training used for longest go first."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import storage_errors
from meter_pipeline.settings import CacheSettings
from meter_pipeline.storage.files import TEMPORARY_PREFIX

BYTES_PER_GB = 1_000_000_000
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A file of kept outputs.

    Attributes:
        path: where it is.
        bytes: its size.
        used_at: when a training last used it, or made it, in seconds since 1970: its time of change.
    """

    path: Path
    bytes: int
    used_at: float


def kept_files(folder: Path) -> Iterator[Kept]:
    """Yield every file of kept outputs; folder: `Layout.trunk`."""
    for inner, _, names in os.walk(folder):
        for name in names:
            path = Path(inner) / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            yield Kept(path, stat.st_size, stat.st_mtime)


def keep_within_limit(folder: Path, used: Collection[Path], settings: CacheSettings) -> int:
    """Note what a training used, and remove what others used longest ago until the limit holds; return how many files.

    A file is removed by itself and computed again if it is needed: killed at any point it is right.

    Args:
        folder: `Layout.trunk`.
        used: files of the training; they stay even where they alone are larger than the limit.
        settings: the limit.

    Raises:
        StorageError: the folder cannot be written to.
    """
    limit, now = settings.trunk_cache_gb * BYTES_PER_GB, time.time()
    with storage_errors(folder):
        for path in used:
            with suppress(FileNotFoundError):  # erased meanwhile
                os.utime(path, (now, now))
        kept = list(kept_files(folder))
        total = sum(each.bytes for each in kept)
        # What a killed training left half-written goes first; none is running beside this one.
        others = sorted(
            (each for each in kept if each.path not in used),
            key=lambda each: (not each.path.name.startswith(TEMPORARY_PREFIX), each.used_at, each.path),
        )
        removed = 0
        for each in others:
            if total <= limit and not each.path.name.startswith(TEMPORARY_PREFIX):
                break
            each.path.unlink(missing_ok=True)
            total, removed = total - each.bytes, removed + 1
        if removed:
            _remove_empty_folders(folder)
    if removed:
        _logger.info("Kept trunk outputs: %d files that this training does not use were removed", removed)
    if total > limit:
        _logger.warning(
            "The kept trunk outputs of this training take %.1f GB, over METER_TRUNK_CACHE_GB=%g: they stay until the"
            " next training.",
            total / BYTES_PER_GB,
            settings.trunk_cache_gb,
        )
    return removed


def _remove_empty_folders(folder: Path) -> None:
    for inner, _, _ in os.walk(folder, topdown=False):
        if Path(inner) != folder and not any(Path(inner).iterdir()):
            Path(inner).rmdir()
