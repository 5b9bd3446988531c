"""Notes on what was done last, as sealed JSON files beside what was made: a damaged one is made again, never fatal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meter_pipeline.storage.sealed_json import read_sealed, write_sealed

_logger = logging.getLogger(__name__)


def read_note(path: Path, *, what_follows: str) -> dict[str, Any]:
    """Return a note; an empty one where there is none, or where it is damaged, which the log says.

    Args:
        path: the file.
        what_follows: what is done without it, for the log: "All exports are written again."
    """
    problem = note_problem(path)
    if problem is not None:
        _logger.warning("%s %s. %s", path, problem, what_follows)
        return {}
    return read_sealed(path) if path.exists() else {}


def write_note(path: Path, content: Mapping[str, Any]) -> None:
    """Write a note completely or not at all.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    write_sealed(path, content)


def note_problem(path: Path) -> str | None:
    """Return how a note differs from what was written, as the end of a sentence; None if it does not, or is missing."""
    try:
        read_sealed(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except ValueError as error:
        return str(error)
    return None
