"""Whether a file that could not be read is damaged, or could only not be read now."""

from __future__ import annotations

from pathlib import Path


def may_pass(path: Path, error: BaseException | None) -> bool:
    """Return whether reading a file failed in a way that says nothing of what it holds.

    A right that is missing, a program that holds the file, a disk or a network that fails, too many open files: the
    file may be sound. It is damaged where it is not there, or where something else is in its place.

    Args:
        path: the file.
        error: why it could not be read; Arrow's errors on what a file holds are OSErrors without a number.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return False
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return False
    try:
        return not path.is_dir()  # Windows says "permission denied" of a folder
    except OSError:
        return True
