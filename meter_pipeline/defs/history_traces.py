"""Where Dagster's history mentions a word: the name of an erased drop, for whoever wants to know what is still held."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.labels import counted

SHORTEST_WORD = 3
"""Characters; a shorter word is found in nearly everything."""
_TEXTS = {"event_logs": "event", "runs": "run_body", "job_ticks": "tick_body", "instigators": "instigator_body"}
"""Tables of Dagster's SQLite files and the column that holds what a person would read."""


@dataclass(frozen=True)
class Traces:
    """Where a history mentions words.

    Attributes:
        home: the folder of the history.
        entries: rows of its tables that mention one of them.
        runs: different runs among these.
        logs: files of console output that do.
    """

    home: Path
    entries: int = 0
    runs: int = 0
    logs: int = 0

    @property
    def sentence(self) -> str:
        """What it comes to, and what to do."""
        if not self.entries and not self.logs:
            return f"Dagster's history ({self.home}) does not mention it."
        logs = f" and {counted(self.logs, 'log file')}" if self.logs else ""
        return (
            f"Dagster's history ({self.home}) still mentions it in {counted(self.entries, 'entry', 'entries')} of"
            f" {counted(self.runs, 'run')}{logs}: names of files, numbers and messages, but no rows and no photos."
            " Delete these runs in the UI (Runs), or, while nothing runs, the whole folder: the next start makes a new"
            " one from what the data directory holds."
        )


def traces(home: Path, words: Collection[str]) -> Traces:
    """Look for words in a history; what cannot be read is left out.

    Args:
        home: Dagster's home.
        words: what is looked for; those shorter than `SHORTEST_WORD` are left out.
    """
    wanted = [word for word in words if len(word) >= SHORTEST_WORD]
    if not wanted or not home.is_dir():
        return Traces(home)
    spelled = sorted({*wanted, *(json.dumps(word)[1:-1] for word in wanted)})
    entries, runs = 0, set[str]()
    for database in sorted(home.rglob("*.db")):
        for run_id in _mentions(database, spelled):
            entries += 1
            runs.add(run_id)
    raw = [word.encode() for word in wanted]
    console = (path for path in home.rglob("compute_logs/*") if path.is_file())
    logs = sum(any(word in path.read_bytes() for word in raw) for path in console)
    return Traces(home, entries, len(runs - {""}), logs)


def _mentions(database: Path, words: Collection[str]) -> Iterator[str]:
    """Yield the run of each row that mentions one of the words; empty where it is of no run."""
    with contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        for table, column in _TEXTS.items():
            with contextlib.suppress(sqlite3.Error):  # a file without this table, or a damaged one
                names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                if column not in names:
                    continue
                run = "run_id" if "run_id" in names else "''"
                where = " OR ".join([f"instr({column}, ?) > 0"] * len(words))
                rows = connection.execute(f"SELECT {run} FROM {table} WHERE {where}", list(words))
                yield from (str(row[0] or "") for row in rows)
