"""What changed in the folders that people put files into, and in Dagster's history; to look costs next to nothing.

What is looked at for the first time is news.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Protocol

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.drop_folder import DropFile, listing
from meter_pipeline.storage.layout import Layout

MOST_OF_THE_TIME = 0.01
"""Share of the time that looks at a folder may take: a large one is looked at less often."""


class Source(Protocol):
    """What can be asked for news."""

    def is_news(self) -> bool:
        """Return whether something changed since the last look."""
        ...


class Repeated:
    """News that stays news for some looks: who was asked just before it came is not asked again so soon.

    Args:
        source: where the news comes from.
        every_s: seconds from one saying to the next.
        times: how often it is said again.
    """

    def __init__(self, source: Source, *, every_s: float, times: int) -> None:
        self._source, self._every_s, self._times = source, every_s, times
        self._left, self._next_at = 0, 0.0

    def is_news(self) -> bool:
        """Return whether something changed, or did lately and has not been said often enough."""
        now = time.monotonic()
        if self._source.is_news():
            self._left = self._times
        elif self._left and now >= self._next_at:
            self._left -= 1
        else:
            return False
        self._next_at = now + self._every_s
        return True


class DropsFolder:
    """The drops folder, from look to look."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.drops
        self._seen: list[DropFile] | None = None
        self._not_before = 0.0

    def is_news(self) -> bool:
        """Return whether files came, changed or went since the last look."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        try:
            found = listing(self._folder)
        except MeterError:
            return False  # the sensor says it
        self._not_before = time.monotonic() + (time.monotonic() - now) / MOST_OF_THE_TIME
        is_same, self._seen = found == self._seen, found
        return not is_same


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
