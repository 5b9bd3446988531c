"""What killed processes left half-written: files and folders of a temporary name that nobody will finish.

Each is named by `files.replacing`. One that is an hour old belongs to no process that still writes it. Nothing of a
person's is looked at: what lies in data/drops, and in data/raw what promotion did not write, is not named so by us.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.storage.files import TEMPORARY_PREFIX
from meter_pipeline.storage.layout import Layout

LEFTOVER_AFTER_S = 3600.0
"""No file and no folder takes so long to write."""
TRAINING_AFTER_S = 14 * 24 * 3600.0
"""A training that was killed goes on from what it left; one that did not go on for two weeks will not."""
TRAINING_PREFIX = ".training-"
_logger = logging.getLogger(__name__)
_TEMPORARY = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}([0-9a-f]{{8}}-.*|doctor-.*)", re.DOTALL)


@dataclass(frozen=True)
class Leftover:
    """A file or folder that a killed process left.

    Attributes:
        path: where it is.
        bytes: its size, a folder's files together.
    """

    path: Path
    bytes: int


def leftovers(layout: Layout, *, everywhere: bool = True) -> Iterator[Leftover]:
    """Yield what was left half-written below the data directory, by path; Dagster's own folder and drops excluded.

    Args:
        layout: the data directory.
        everywhere: also in folders of very many files, in which whoever writes there looks for left-overs anyway.
    """
    now, models = time.time(), str(layout.models)
    passed_over = {layout.drops, layout.set_aside, layout.root / "dagster_home", layout.root / "demo"}
    if not everywhere:
        passed_over |= {layout.raw, layout.images, layout.lake.root, layout.processed, layout.cache, layout.decisions}
    for folder, folders, files in os.walk(layout.root):
        place = Path(folder)
        of_models = folder == models
        for name in sorted(name for name in [*folders, *files] if name.startswith(".")):  # few among very many
            lifetime = _lifetime(name, of_models=of_models)
            if lifetime is not None and now - _last_written(place / name) > lifetime:
                yield Leftover(place / name, _size(place / name))
        folders[:] = sorted(
            name for name in folders if _lifetime(name, of_models=of_models) is None and place / name not in passed_over
        )


def sweep(layout: Layout) -> None:
    """Remove left-overs where nobody else looks for them; what cannot be removed stays, which the log says."""
    for leftover in leftovers(layout, everywhere=False):
        try:
            remove(leftover)
        except MeterError as error:
            _logger.warning("%s", error)
        else:
            _logger.info("Removed %s, which a run that was ended left half-written", leftover.path)


def remove(leftover: Leftover) -> None:
    """Remove what was left.

    Raises:
        StorageError: it is not ours to remove.
    """
    with storage_errors(leftover.path):
        if leftover.path.is_dir() and not leftover.path.is_symlink():
            shutil.rmtree(leftover.path)
        else:
            leftover.path.unlink(missing_ok=True)


def _lifetime(name: str, *, of_models: bool) -> float | None:
    """Return after how many seconds a file or folder is left over; None for a name that no unfinished write has."""
    if of_models and name.startswith(TRAINING_PREFIX):
        return TRAINING_AFTER_S
    return LEFTOVER_AFTER_S if _TEMPORARY.fullmatch(name) else None


def _last_written(path: Path) -> float:
    """Return when a file, or anything in a folder, was last written; now if it is gone already."""
    try:
        times = [path.lstat().st_mtime, *(inside.lstat().st_mtime for inside in path.rglob("*"))]
    except OSError:
        return time.time()
    return max(times)


def _size(path: Path) -> int:
    try:
        return sum(each.lstat().st_size for each in [path, *path.rglob("*")] if each.is_file())
    except OSError:
        return 0
