"""SQLite files looked at from outside: whether one can be read, without a change to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_HEADER = b"SQLite format 3\x00"
_BUSY_S = 10.0


def sqlite_problem(path: Path) -> str | None:
    """Return what is wrong with a SQLite file, in words; None if it can be read from its first page to its last.

    A file that is in use is read beside its users. One without bytes is a database without tables.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(len(_HEADER))
    except OSError as error:
        return f"it cannot be opened: {error.strerror or error}"
    if not head:
        return None
    if head != _HEADER:
        return "it is not a SQLite database"
    # Without a write-ahead log nobody has it open, and `immutable` keeps SQLite from making files beside it.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=_BUSY_S)) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)").fetchall()]
    except sqlite3.Error as error:
        return str(error)
    return None if said == ["ok"] else "; ".join(said) or "the check gave no answer"
