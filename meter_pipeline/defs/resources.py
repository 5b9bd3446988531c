"""What every asset is handed: the settings in force, the data directory, and a turn at writing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout

from meter_pipeline.core.layout import Layout
from meter_pipeline.errors import storage_errors
from meter_pipeline.settings import Settings, load_settings

_logger = logging.getLogger(__name__)
WAITING_NOTICE_S = 1.0


class Pipeline(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data directory and its settings.

    Args:
        overrides: settings by name that win over the environment; for tests and for the command line.
    """

    overrides: dict[str, Any] = {}

    def settings(self, config: dg.Config | None = None) -> Settings:
        """Return the settings in force, the run's config on top."""
        from_run = config.model_dump(exclude_none=True) if config else {}
        return load_settings(**{**self.overrides, **from_run})

    @property
    def layout(self) -> Layout:
        """Where the files are."""
        return Layout(load_settings(**self.overrides).data_dir)

    @contextmanager
    def turn(self, what: str) -> Iterator[None]:
        """Hold the only turn at `what` on this data directory, across processes.

        Dagster's pool keeps its own runs apart; this also keeps `meter update` from a cron job apart from them.
        """
        folder = self.layout.root / "locks"
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{what}.lock")
        try:
            lock.acquire(timeout=WAITING_NOTICE_S)
        except Timeout:
            _logger.info("Another run is at %s in this data directory; waiting for it to finish.", what)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
