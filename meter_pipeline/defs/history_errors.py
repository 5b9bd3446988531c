"""Errors of the files that hold Dagster's history, as sentences that name the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.storage.sqlite_files import sqlite_problem

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""The databases of a history, below Dagster's home; `history/runs/<run id>.db` beside them hold one run's log each."""
CONFIG = "dagster.yaml"
WITHOUT_CONFIG = "Correct the file, or take it away: it is then made again as the project has it."
MEND = "Nothing but the history is damaged. Run `meter verify --mend`: it puts it aside, and a new one is begun."
LEAST_FREE_BYTES = 500_000
"""SQLite needs some room beside a database to open it: an index and a log of what is written."""
_KINDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("disk is full",), "The disk is full.", "Free some space, then run again."),
    (("readonly", "read-only"), "Dagster's history is read-only.", "Give this user the right to write there."),
    (
        ("unable to open",),
        "Dagster's history cannot be opened.",
        "See that it is a folder of ours that this user may write.",
    ),
    (("locked",), "Dagster's history is in use by another program.", "Wait until that has ended, then run again."),
    (("disk i/o",), "The disk gives errors, or is full, at Dagster's history.", "Check the disk, then run again."),
)


def history_error(error: BaseException) -> MeterError | None:
    """Return an error of Dagster's history as a sentence for a person; None if it is of something else.

    Args:
        error: what was raised by Dagster, SQLAlchemy or SQLite, or what that was raised from.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or ".")
    problem = "are no YAML" if _is_of_yaml(error) else config_problem(home)
    if problem is not None:
        return MeterError(f"Dagster's settings {problem}.", where=home / CONFIG, fix=WITHOUT_CONFIG)
    words = _words_of_sqlite(error)
    if words is None:
        return None
    if (of_the_disk := _disk_problem(home)) is not None:  # SQLite says little of it, and looking at files fails too
        return of_the_disk
    for path, problem in damaged_databases(home):
        return MeterError(f"Dagster's history is damaged: {problem}.", where=path, fix=MEND)
    for signs, what, fix in _KINDS:
        if any(sign in words.lower() for sign in signs):
            return StorageError(what, where=home, fix=fix)
    return MeterError(f"Dagster's history cannot be used: {words}.", where=home, fix=MEND)


def _disk_problem(home: Path) -> MeterError | None:
    """Return whether the disk takes no more, whatever SQLite calls that."""
    place = next((folder for folder in (home, *home.parents) if folder.is_dir()), home)
    read_only = getattr(os, "ST_RDONLY", 0)
    if read_only and os.statvfs(place).f_flag & read_only:
        return StorageError("The disk of Dagster's history is read-only.", where=home, fix="Mount it writable.")
    if shutil.disk_usage(place).free < LEAST_FREE_BYTES:
        return StorageError(
            "The disk of Dagster's history is full.", where=home, fix="Free some space, then run again."
        )
    return None


def damaged_databases(home: Path, *, logs: bool = True) -> Iterator[tuple[Path, str]]:
    """Yield the databases of a history that cannot be read, each with what is wrong.

    Args:
        home: Dagster's home.
        logs: also look at the logs of single runs, of which there may be thousands; at the end.
    """
    of_runs = sorted(home.glob("history/runs/*.db")) if logs else []
    for path in dict.fromkeys([*(home / name for name in DATABASES), *of_runs]):
        if path.exists() and (problem := sqlite_problem(path)) is not None:
            yield path, problem


def config_problem(home: Path) -> str | None:
    """Return why Dagster's settings file is no text, as the end of a sentence; None if it is, or there is none."""
    try:
        content = (home / CONFIG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except ValueError:
        return "are no text"
    return "are no text" if "\0" in content else None


def _is_of_yaml(error: BaseException | None) -> bool:
    while error is not None:
        if type(error).__module__.startswith("yaml"):
            return True
        error = error.__cause__
    return False


def _words_of_sqlite(error: BaseException | None) -> str | None:
    """Return what SQLite said, from the error itself or one that it was raised from; None if it said nothing."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, sqlite3.Error):
            return str(error)
        original = getattr(error, "orig", None)  # of SQLAlchemy's errors
        if isinstance(original, sqlite3.Error):
            return str(original)
        if type(error).__module__.startswith(("sqlalchemy", "alembic")):
            return str(error).splitlines()[0]
        error = error.__cause__ or error.__context__
    return None
