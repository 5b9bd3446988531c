"""A process for the next run that has loaded all it needs before it is asked, so that a run begins at once.

It waits for its order at the end of a pipe, and ends when the other end is closed: by whoever made it, or because that
was killed. It serves one run, as a process of Dagster's own does; while that is at work the next one is made.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

NEXT_AFTER_S = 10.0
"""Time that a run has the processor for itself before the next process is made, unless it ends before."""
LOADED = (
    "alembic.migration",
    "dagster._core.execution.api",
    "dagster._grpc.impl",
    "meter_pipeline.definitions",
    "meter_pipeline.ingest.drop_rows",
    "meter_pipeline.ingest.url_images",
    "meter_pipeline.batches.prediction_exports",
)
"""What a waiting process has loaded: Dagster, the graph, and what a batch needs, but not the network."""


class RunProcesses:
    """Stands in for the part of `multiprocessing` by which Dagster's code server starts a run.

    It asks, in one thread, for a queue, for an event and for the process that gets both; all three are parts of one
    process that waits.

    Args:
        load: what a process does before it waits.
    """

    def __init__(self, load: Callable[[], object] | None = None) -> None:
        self._spawn, self._load = multiprocessing.get_context("spawn"), load or load_what_runs_need
        self._waiting: _Waiting | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._asked = threading.local()

    def prepare(self) -> None:
        """Make a process that waits, unless there is one."""
        with self._lock:
            if not self._is_closed and (self._waiting is None or not self._waiting.process.is_alive()):
                self._waiting = _Waiting(self._spawn, self._load)

    def renew(self) -> None:
        """Make another process that waits, which loads the code as it is now."""
        with self._lock:
            before, self._waiting = self._waiting, None
        if before is not None:
            before.let_go()
        self.prepare()

    def close(self) -> None:
        """End the process that waits; no other is made. Those that are at work are left alone."""
        with self._lock:
            before, self._waiting, self._is_closed = self._waiting, None, True
        if before is not None:
            before.let_go()

    def Queue(self) -> Any:
        """Return the queue by which the next process says how it fares."""
        with self._lock:
            taken, self._waiting = self._waiting, None
        if taken is None or not taken.process.is_alive():
            taken = _Waiting(self._spawn, self._load)
        self._asked.taken = taken
        return taken.told

    def Event(self) -> Any:
        """Return the event that ends what the process is at work on."""
        return self._asked.taken.ended

    def Process(self, *, target: Callable[..., None], args: Sequence[Any]) -> RunProcess:
        """Return the process, which is given its order when it is started."""
        return RunProcess(self._asked.taken, target, args, self._make_the_next)

    def _make_the_next(self, process: Any) -> None:
        def later() -> None:
            wait([process.sentinel], NEXT_AFTER_S)
            self.prepare()

        threading.Thread(target=later, name="next-run-process", daemon=True).start()


class RunProcess:
    """A process with an order, as the code server knows it."""

    def __init__(
        self, waiting: _Waiting, target: Callable[..., None], args: Sequence[Any], started: Callable[[Any], None]
    ) -> None:
        self._waiting, self._target, self._args, self._started = waiting, target, args, started
        self._process = waiting.process

    def start(self) -> None:
        """Give the order; if the process is gone meanwhile, another one gets it."""
        *order, told, ended = self._args
        try:
            self._waiting.orders.send((self._target, order))
            self._waiting.orders.close()
        except OSError:
            spawn = multiprocessing.get_context("spawn")
            self._process = spawn.Process(target=self._target, args=(*order, told, ended))
            self._process.start()
        self._started(self._process)

    @property
    def pid(self) -> int | None:
        """Id of the process."""
        return self._process.pid

    @property
    def exitcode(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.exitcode

    def is_alive(self) -> bool:
        """Return whether it lives."""
        return self._process.is_alive()


class _Waiting:
    """A process that waits for an order."""

    def __init__(self, spawn: Any, load: Callable[[], object]) -> None:
        self.told, self.ended = spawn.Queue(), spawn.Event()
        theirs, self.orders = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=wait_for_a_run, args=(load, theirs, self.told, self.ended))
        self.process.start()
        theirs.close()  # else its end would not be noticed

    def let_go(self) -> None:
        """End it."""
        self.orders.close()


def wait_for_a_run(load: Callable[[], object], orders: Connection, told: Any, ended: Any) -> None:
    """Load what a run needs, wait for the order, and carry it out; the body of the process.

    Args:
        load: loads what a run needs.
        orders: where the order comes from; nothing comes if its other end is closed.
        told: the queue by which Dagster hears of the run's process.
        ended: the event that ends it.
    """
    with contextlib.suppress(KeyboardInterrupt, EOFError, OSError):
        with contextlib.suppress(Exception):  # the run says what is wrong with the code, in its log
            load()
        target, order = orders.recv()
        orders.close()
        target(*order, told, ended)


def load_what_runs_need() -> None:
    """Import `LOADED`, and open Dagster's history once, which imports more."""
    import dagster as dg

    from meter_pipeline.defs.history_access import keep_access

    keep_access()
    for name in LOADED:
        importlib.import_module(name)
    with dg.DagsterInstance.get():
        pass
