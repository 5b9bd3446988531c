"""Keeps the engine of each SQLite file of Dagster's history: Dagster makes a new one for every query.

With the engine goes what SQLAlchemy has compiled, so each query would be compiled anew; that is half of what reading
the history takes. Connections are opened and closed for each query as before.
"""

from __future__ import annotations

import threading
from typing import Any

_KEPT = "kept_by_path"
_lock = threading.Lock()


def keep_engines() -> None:
    """Let Dagster's storages in SQLite files use one engine per file, for as long as this process lives."""
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        if not hasattr(module.create_engine, _KEPT):
            module.create_engine = _keeping(module.create_engine)  # type: ignore[assignment]


def _keeping(create_engine: Any) -> Any:
    kept: dict[tuple[str, str], Any] = {}

    def engine_of(address: str, **options: Any) -> Any:
        key = (address, repr(sorted(options.items(), key=lambda option: option[0])))
        with _lock:
            if key not in kept:
                kept[key] = create_engine(address, **options)
            return kept[key]

    setattr(engine_of, _KEPT, kept)
    return engine_of
