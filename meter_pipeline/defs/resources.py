"""The resource that every asset gets: the settings in force, the data directory, and a lock on its tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, get_args

import dagster as dg
from filelock import FileLock, Timeout
from pydantic import Field

from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.settings import Settings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.private_folders import make_private

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
        `MeterError`, and what the system or a library says that a person can act on (`library_errors`), becomes a
        failure with its message, without traceback and retry.
        """
        layout = self.layout
        try:
            with _locked(layout, on):
                yield layout
        except dg.Failure:
            raise
        except Exception as error:
            said = explained(error, where=layout.root)
            _mask_secrets(error)  # Dagster keeps what an error says for ever
            if said is None:
                raise
            raise dg.Failure(
                description=mask_urls(str(said)),
                metadata={
                    name: mask_urls(text)
                    for name, text in (("what", said.what), ("where", said.where), ("what to do", said.fix))
                },
                allow_retries=False,
            ) from error


def _mask_secrets(error: BaseException) -> None:
    """Mask the secrets of URLs in what an error says, and in what the errors say that it was raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each.args = tuple(mask_urls(part) if isinstance(part, str) else part for part in each.args)
        each = each.__cause__ or each.__context__


@contextmanager
def nothing_running(layout: Layout) -> Iterator[None]:
    """Hold every lock of a data directory at once, for work that no run may be in the middle of.

    Raises:
        MeterError: something is running.
    """
    with storage_errors(layout.locks):
        make_private(layout.locks)
    with ExitStack() as held:
        for work in get_args(Work):
            lock = layout.locks / f"{work}.lock"
            try:
                held.enter_context(FileLock(lock, timeout=0))
            except Timeout as error:
                raise MeterError(
                    f"A run is working on this data directory ({work}).",
                    where=lock,
                    fix="Wait until it has ended, or stop it, then run the command again.",
                ) from error
        yield


@contextmanager
def _locked(layout: Layout, on: Work) -> Iterator[None]:
    folder = layout.locks
    with storage_errors(folder):
        make_private(folder)
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
