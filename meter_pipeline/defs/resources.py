"""The resource that every asset gets: the settings in force, the data directory, and a lock on its tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import dagster as dg
from filelock import FileLock, Timeout
from pydantic import Field

from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.settings import Settings, load_settings
from meter_pipeline.storage.layout import Layout

_logger = logging.getLogger(__name__)
WAITING_NOTICE_S = 1.0
Work = Literal["training", "choice", "batches", "map", "review"]


class Pipeline(dg.ConfigurableResource):
    """The data directory and its settings.

    Args:
        overrides: settings by name that win over the environment; for tests and for the command line.
    """

    overrides: dict[str, Any] = Field(default_factory=dict)

    def settings(self, config: dg.Config | None = None) -> Settings:
        """Return the settings in force; the run's config wins over all others."""
        from_run = config.model_dump(exclude_none=True) if config else {}
        return load_settings(**{**self.overrides, **from_run})

    @property
    def layout(self) -> Layout:
        """Where the files are."""
        return Layout(load_settings(**self.overrides).data_dir)

    @contextmanager
    def working(self, on: Work) -> Iterator[Layout]:
        """Hold the lock on the tables of `on` in this data directory, and yield the layout.

        Dagster's pool keeps its own runs apart; this also keeps `meter update` from a cron job apart from them. A
        `MeterError`, which a person can act on, becomes a failure with its message, without traceback and retry.
        """
        layout = self.layout
        try:
            with _locked(layout, on):
                yield layout
        except MeterError as error:
            raise dg.Failure(
                description=str(error),
                metadata={"what": error.what, "where": error.where, "what to do": error.fix},
                allow_retries=False,
            ) from error


@contextmanager
def _locked(layout: Layout, on: Work) -> Iterator[None]:
    folder = layout.locks
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{on}.lock")
        try:
            lock.acquire(timeout=WAITING_NOTICE_S)
        except Timeout:
            _logger.info("Another run is writing the %s tables of this data directory; waiting for it.", on)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
