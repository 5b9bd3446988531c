"""Where Dagster's history mentions a word: the name of an erased drop, for whoever wants to know what is still held.

The history does not keep words as they are typed: keys in URLs are masked, links are parted by an invisible sign, texts
are escaped for Markdown and again for JSON. So both sides are brought to one plain spelling before they are compared.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.defs.metadata import PREVIEW_TEXT
from meter_pipeline.labels import class_key, counted
from meter_pipeline.storage.bare_links import PARTING
from meter_pipeline.storage.masking import forms_in_messages

SHORTEST_WORD = 3
"""Characters; a shorter word is found in nearly everything."""
_TEXTS = (
    ("event_logs", "event", "run_id"),
    ("runs", "run_body", "run_id"),
    ("run_tags", "value", "run_id"),
    ("asset_keys", "last_materialization", "last_run_id"),
    ("asset_check_executions", "evaluation_event", "run_id"),
    ("job_ticks", "tick_body", ""),
    ("instigators", "instigator_body", ""),
    ("bulk_actions", "body", ""),
    ("kvs", "value", ""),
)
"""Tables of Dagster's SQLite files, the column that holds what a person would read, and that of its run, if any."""
_DATABASE_ENDINGS = (".db", ".db-wal", ".db-shm")
_SETTINGS = ("dagster.yaml", "data_dir.txt")
_RUNS_NAMED = 3
_BY_NUMBER = re.compile(r"\\{1,8}u([0-9a-f]{4})", re.IGNORECASE)
_BLANK = re.compile(r"\\{1,8}[nrt]")


@dataclass(frozen=True)
class Traces:
    """Where a history mentions words.

    Attributes:
        home: the folder of the history.
        entries: rows of its tables that mention one of them.
        runs: ids of the runs among these, sorted.
        logs: other files that do, such as console output.
        too_short: number of words that were not looked for.
        looked_for: number of words that were.
        unread: number of its databases that cannot be read.
    """

    home: Path
    entries: int = 0
    runs: tuple[str, ...] = ()
    logs: int = 0
    too_short: int = 0
    looked_for: int = 0
    unread: int = 0

    @property
    def sentence(self) -> str:
        """What it comes to, and what to do."""
        short = f" A text of fewer than {SHORTEST_WORD} characters was not looked for: nearly everything has it."
        unread = f" {counted(self.unread, 'of its files', 'of its files')} cannot be read." if self.unread else ""
        notes = (short if self.too_short else "") + unread
        if not self.entries and not self.logs:
            said = "was not looked through." if self.too_short and not self.looked_for else "does not mention it."
            return f"Dagster's history ({self.home}) {said}{notes}"
        logs = f" and {counted(self.logs, 'log file')}" if self.logs else ""
        more = ", ..." if len(self.runs) > _RUNS_NAMED else ""
        named = f" ({', '.join(self.runs[:_RUNS_NAMED])}{more})" if self.runs else ""
        return (
            f"Dagster's history ({self.home}) still mentions it in {counted(self.entries, 'entry', 'entries')} of"
            f" {counted(len(self.runs), 'run')}{named}{logs}: names of files, numbers and messages, but no rows and no"
            " photos. Delete these runs in the UI (Runs; what an asset says of its last run goes with its next one),"
            " or, while nothing runs, the whole folder: the next start makes a new one from what the data directory"
            " holds."
            f"{notes}"
        )


def traces(home: Path, words: Collection[str]) -> Traces:
    """Look for words in a history, in every form that it may hold them in; what cannot be read is counted.

    Args:
        home: Dagster's home.
        words: what is looked for; those shorter than `SHORTEST_WORD` are left out and counted.
    """
    words = {word for word in words if word}
    long = {word for word in words if len(_plain(word)) >= SHORTEST_WORD}
    too_short = len(words) - len(long)
    forms = {form for word in long for form in forms_in_messages(word)}
    # Tables that are shown cut long texts; a longer name that begins alike counts as well.
    forms |= {form[: PREVIEW_TEXT - 8] for form in forms if len(form) > PREVIEW_TEXT - 8 and "//" not in form}
    wanted = sorted(_plain(form) for form in forms)
    if not wanted or not home.is_dir():
        return Traces(home, too_short=too_short)
    entries, logs, unread, runs = 0, 0, 0, set[str]()
    for path in sorted(path for path in home.rglob("*") if path.is_file() and path.name not in _SETTINGS):
        if path.name.endswith(_DATABASE_ENDINGS[0]):
            try:
                for run in _mentions(path, wanted):
                    entries += 1
                    runs.add(run)
            except sqlite3.Error:
                unread += 1
        elif not path.name.endswith(_DATABASE_ENDINGS) and _holds(path, wanted):
            logs += 1
            runs.add(path.parent.parent.name if path.parent.name == "compute_logs" else "")
    return Traces(home, entries, tuple(sorted(runs - {""})), logs, too_short, len(long), unread)


def _plain(text: str) -> str:
    """Return a text as it is compared: nothing escaped, no parted links, by case and blanks as names are."""
    if "\\" in text:
        text = _BY_NUMBER.sub(lambda sign: chr(int(sign[1], 16)), text)
        text = _BLANK.sub(" ", text).replace("\\", "")
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # one sign may be escaped as two
    return class_key(text.replace(PARTING, ""))


def _holds(path: Path, wanted: Collection[str]) -> bool:
    with contextlib.suppress(OSError):
        text = _plain(path.read_text(encoding="utf-8", errors="replace"))
        return any(word in text for word in wanted)
    return False


def _mentions(database: Path, wanted: Collection[str]) -> Iterator[str]:
    """Yield the run of each row that mentions one of the words; empty where it is of no run.

    Raises:
        sqlite3.Error: the file is damaged.
    """
    # Whoever opens a database with a log of changes leaves two files beside it, also to read it. Without such a log
    # nothing is lost by reading the file alone.
    alone = "" if database.with_name(f"{database.name}-wal").exists() else "&immutable=1"
    with contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro{alone}", uri=True)) as connection:
        connection.text_factory = lambda content: content.decode("utf-8", "replace")
        for table, column, run in _TEXTS:
            names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            if column not in names:
                continue
            of_run = run if run in names else "''"
            for run_id, text in connection.execute(f"SELECT {of_run}, {column} FROM {table}"):
                plain = _plain(str(text or ""))
                if any(word in plain for word in wanted):
                    yield str(run_id or "")
