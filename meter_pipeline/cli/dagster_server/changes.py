"""What changed in the folders that people put files into, and in Dagster's history; to look costs next to nothing.

What is looked at for the first time is news.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.drop_folder import DropFile, listing, settled
from meter_pipeline.storage.layout import Layout

MOST_OF_THE_TIME = 0.01
"""Share of the time that looks at a folder may take: a large one is looked at less often."""


class DropsFolder:
    """The drops folder, from look to look.

    Args:
        layout: the data directory.
        settles_after_s: seconds after which a file that stays as it is counts as complete.
    """

    def __init__(self, layout: Layout, settles_after_s: float) -> None:
        self._folder, self._settles_after_s = layout.drops, settles_after_s
        self._seen: list[DropFile] | None = None
        self._due_at = self._not_before = 0.0

    def is_news(self) -> bool:
        """Return whether files came, changed or went since the last look, or have had the time to settle since."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        try:
            found = listing(self._folder)
        except MeterError:
            return False  # the sensor says it
        self._not_before = time.monotonic() + (time.monotonic() - now) / MOST_OF_THE_TIME
        if self._seen is None or found != self._seen:
            growing = settled(found, self._seen or [])[1]
            self._seen, self._due_at = found, now + self._settles_after_s if growing else 0.0
            return True
        if 0.0 < self._due_at <= now:
            self._due_at = 0.0
            return True
        return False


class FoldersOfFiles:
    """A folder with folders of files that are never changed: only its folders are looked at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[tuple[str, int]] | None = None

    def is_news(self) -> bool:
        """Return whether files came or went since the last look."""
        found: list[tuple[str, int]] = []
        with contextlib.suppress(OSError):
            found.append(("", self._folder.stat().st_mtime_ns))
            with os.scandir(self._folder) as entries:
                found += sorted((entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir())
        is_same, self._seen = found == self._seen, found
        return not is_same


class Database:
    """A SQLite file, which counts for each connection what others have written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

    def is_news(self) -> bool:
        """Return whether somebody wrote to it since the last look; where it cannot be asked, nothing is known."""
        try:
            if self._connection is None:
                if not self._path.exists():
                    return False
                self._connection = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            self.close()
            return False
        is_same, self._seen = version == self._seen, version
        return not is_same

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection, self._seen = None, None
