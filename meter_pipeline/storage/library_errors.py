"""What an error of the system or of a library means for a person: one sentence, where, and what to do.

The last resort, where no code nearer to the cause said it. Nothing is imported for it: a library that raised is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from meter_pipeline.errors import MeterError, StorageError, storage_error

VERIFY = "Run `meter verify`: it names what is damaged, and what can be done."
_READERS = ("pyarrow", "duckdb", "_duckdb", "safetensors", "zipfile", "numpy")
"""Modules of the libraries that read the files of a data directory; an error of theirs is a damaged file."""


def explained(error: BaseException, *, where: str | Path = "") -> MeterError | None:
    """Return an error as a sentence for a person; None for one that is a fault of the program.

    Args:
        error: what was raised; a `MeterError` that it was raised from says more than itself.
        where: the place to name where the error names none.
    """
    chain = list(_causes(error))
    said = [cause for cause in chain if isinstance(cause, MeterError)]
    if said:
        return said[-1]
    for cause in reversed(chain):
        if (sentence := _sentence(cause, where)) is not None:
            return sentence
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the first cause last."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _sentence(error: BaseException, where: str | Path) -> MeterError | None:
    if isinstance(error, MemoryError):
        return MeterError("There is not enough memory.", where=where, fix="Stop other programs, then run again.")
    if isinstance(error, OSError) and not type(error).__module__.startswith(_READERS):
        return _of_the_system(error, where)
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
        kind = "text in UTF-8" if isinstance(error, UnicodeDecodeError) else "JSON"
        return MeterError(f"A file that should hold {kind} does not.", where=where, fix=VERIFY)
    if type(error).__module__.startswith(_READERS):
        return MeterError(f"A file of the data directory cannot be read: {_first_line(error)}", where=where, fix=VERIFY)
    return None


def _of_the_system(error: OSError, where: str | Path) -> MeterError | None:
    place = error.filename if isinstance(error.filename, str | Path) else where
    if (known := storage_error(error, place)) is not None:
        return known
    if isinstance(error, FileNotFoundError):
        return StorageError("A file or folder that is needed is not there.", where=place, fix=VERIFY)
    if error.strerror is None or not place:  # raised by a library with words of its own
        return None
    return StorageError(f"The system says: {error.strerror}.", where=place, fix=VERIFY)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") + "." if lines else type(error).__name__ + "."
