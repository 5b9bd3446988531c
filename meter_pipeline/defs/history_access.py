"""Keeps what Dagster makes anew whenever it opens its history or asks it something, and what takes most of that time.

An engine of SQLAlchemy for each SQLite file, with all queries that it has compiled; and the list of the history's
versions, a hundred small files of Dagster's that are read for each opening. Connections are opened and closed as
before, so the files are free between two questions.
"""

from __future__ import annotations

import threading
from typing import Any

_KEPT = "kept_by_key"


def keep_access() -> None:
    """Let Dagster's storages in SQLite files keep both, for as long as this process lives."""
    from dagster._core.storage import sql
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

    modules: tuple[Any, ...] = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
    for module in modules:
        if not hasattr(module.create_engine, _KEPT):
            module.create_engine = _keeping_engines(module.create_engine)
    if not hasattr(sql.ScriptDirectory, _KEPT):
        sql.ScriptDirectory = _KeptVersions(sql.ScriptDirectory)  # type: ignore[assignment,misc]


def _keeping_engines(create_engine: Any) -> Any:
    kept: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()  # one each: what is wrapped may itself keep engines

    def engine_of(address: str, **options: Any) -> Any:
        key = (address, repr(sorted(options.items(), key=lambda option: option[0])))
        with lock:
            if key not in kept:
                kept[key] = create_engine(address, **options)
            return kept[key]

    setattr(engine_of, _KEPT, kept)
    return engine_of


class _KeptVersions:
    """Reads the versions of a storage once; Dagster asks for them one thread at a time."""

    def __init__(self, directory: Any) -> None:
        self._directory = directory
        self.kept_by_key: dict[str, Any] = {}

    def from_config(self, config: Any) -> Any:
        """Return the versions of the storage that a config of alembic is for."""
        key = str(config.get_main_option("script_location"))
        if key not in self.kept_by_key:
            self.kept_by_key[key] = self._directory.from_config(config)
        return self.kept_by_key[key]
