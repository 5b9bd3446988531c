"""The one exception family for problems that users can cause: what is wrong, where, and what to do.

Bad rows and bad photos are data (a `reason` column), not exceptions. Bugs raise whatever Python raises.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class MeterError(Exception):
    """A problem that a person can do something about.

    Args:
        what: what is wrong, in a sentence.
        where: the file, sheet, row, URL or setting.
        fix: what to do about it, in a sentence.
    """

    def __init__(self, what: str, *, where: str | Path = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, str(where), fix
        place = f" [{self.where}]" if self.where else ""
        super().__init__(f"{what}{place}{' ' + fix if fix else ''}")


class StorageError(MeterError):
    """The disk is full, read-only, or not ours to write."""


class WeightsError(MeterError):
    """Pretrained or saved weights are not available, or do not fit."""


class NoChampionError(MeterError):
    """There is no model in use yet."""


class DataSetError(MeterError):
    """The labelled photos cannot be used as a data set."""


class SpreadsheetError(MeterError):
    """A drop cannot be read at all."""


_STORAGE_PROBLEMS = {
    errno.ENOSPC: ("The disk is full.", "Free some space, then run again: what was finished is kept."),
    errno.EDQUOT: ("The disk quota is used up.", "Free some space, then run again: what was finished is kept."),
    errno.EROFS: ("The disk is read-only.", "Mount it writable, or set METER_DATA_DIR to a folder that is."),
    errno.EACCES: ("No permission to write here.", "Give this user the right, or set METER_DATA_DIR elsewhere."),
    errno.ENOTDIR: ("A file stands where a folder should be.", "Move it away, or set METER_DATA_DIR elsewhere."),
    errno.EEXIST: ("A file stands where a folder should be.", "Move it away, or set METER_DATA_DIR elsewhere."),
    errno.EPERM: ("No permission to write here.", "Give this user the right, or set METER_DATA_DIR elsewhere."),
    errno.EISDIR: ("A folder stands where a file should be.", "Move the folder away, then run again."),
    errno.ENOTEMPTY: ("A folder stands where a file should be.", "Move the folder away, then run again."),
    errno.EIO: ("The disk gives errors.", "Look at the system's log and check the disk, then run: meter verify"),
}


def storage_error(error: OSError, path: str | Path) -> StorageError | None:
    """Return what an error of the operating system means for a person, naming `path`; None if it is of another kind."""
    problem = _STORAGE_PROBLEMS.get(error.errno or 0)
    return StorageError(problem[0], where=path, fix=problem[1]) if problem else None


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn storage errors of the operating system inside the block into a `StorageError` that names `path`."""
    try:
        yield
    except OSError as error:
        explained = storage_error(error, path)
        if explained is None:
            raise
        raise explained from error
