"""Dagster's daemons of sensors and of the queue, which look when something has changed, and otherwise now and then.

Dagster's own go round every five seconds, whether there is anything to do or not: a drop waits at each of them, and a
machine with nothing to do is busy with looking. These ask what changed twice a second, which costs next to nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon import asset_daemon
from dagster._daemon.controller import create_daemon_of_type
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, SensorDaemon, SpanMarker
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._daemon.utils import DaemonErrorCapture

from meter_pipeline.cli.dagster_server.changes import Database, DropsFolder, FoldersOfFiles, Repeated
from meter_pipeline.defs.intervals import DECISION_INTERVAL_S, DROP_INTERVAL_S
from meter_pipeline.storage.layout import Layout

LOOKED_EVERY_S = 0.5
SENSORS_AT_LEAST_EVERY_S = 45.0
QUEUE_AT_LEAST_EVERY_S = 10.0
AFTER_EVENTS_S = 3.0
"""Time between two rounds of the sensors that events of runs are the reason for: a run at work writes many."""
LATER_S = 0.5
"""By how much a round that a sensor is to take part in comes later than its interval: its turn in a round varies."""
SAID_AGAIN = 3
"""Rounds after the one that a decision or an event is the reason for: a sensor that is at work is passed over."""
LOOKS_AT_A_DROP = 4
"""Rounds after the one in which a file came. Two must reach the sensor, and every second one does."""
NO_SENSOR_OF_ITS_OWN_S = 30
"""How often the daemon goes round that has no sensor here: ours are evaluated in the code server."""


def woken_daemons(instance: dg.DagsterInstance, layout: Layout, home: Path) -> Sequence[DagsterDaemon]:
    """Return the daemons that an instance needs, those in this module instead of Dagster's own."""
    asset_daemon.MIN_INTERVAL_LOOP_SECONDS = NO_SENSOR_OF_ITS_OWN_S
    ours: dict[str, Callable[[], DagsterDaemon]] = {
        SensorDaemon.daemon_type(): lambda: WokenSensors(dict(instance.get_sensor_settings()), layout, home),
        QueuedRunCoordinatorDaemon.daemon_type(): lambda: WokenQueue(home),
    }
    return [
        ours[kind]() if kind in ours else create_daemon_of_type(kind, instance)
        for kind in instance.get_required_daemon_types()
    ]


class WokenSensors(SensorDaemon):
    """Goes round the sensors when a drop or a decision came, or runs or others wrote events.

    A sensor's own interval holds too, and a round within it does not reach the sensor: what came then is said again.
    """

    def __init__(self, settings: dict[str, Any], layout: Layout, home: Path) -> None:
        super().__init__(settings)
        self._folders = (
            Repeated(DropsFolder(layout), every_s=DROP_INTERVAL_S + LATER_S, times=LOOKS_AT_A_DROP),
            Repeated(FoldersOfFiles(layout.decisions), every_s=DECISION_INTERVAL_S + LATER_S, times=SAID_AGAIN),
        )
        events = Database(home / "history" / "runs" / "index.db")
        self._events = Repeated(events, every_s=AFTER_EVENTS_S, times=SAID_AGAIN)
        self._events_wait = False
        self._events_not_before = 0.0

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext, shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Go round, and wait for news."""
        under_way: dict[str, Future[Any]] = {}
        while True:
            yield SpanMarker.START_SPAN
            try:
                yield from execute_sensor_iteration(
                    workspace_process_context,
                    self._logger,
                    threadpool_executor=self._threadpool_executor,
                    submit_threadpool_executor=self._submit_threadpool_executor,
                    sensor_tick_futures=under_way,
                    instrument_elapsed=self.instrument_elapsed,
                )
            except Exception:
                yield DaemonErrorCapture.process_exception(
                    exc_info=sys.exc_info(), logger=self._logger, log_message="SensorDaemon caught an error"
                )
            yield SpanMarker.END_SPAN
            yield from _until(self._is_news, SENSORS_AT_LEAST_EVERY_S, shutdown_event)

    def _is_news(self) -> bool:
        of_folders = [folder.is_news() for folder in self._folders]  # all are asked: each remembers what it saw
        self._events_wait = self._events.is_news() or self._events_wait
        is_of_events = self._events_wait and time.monotonic() >= self._events_not_before
        if is_of_events:
            self._events_wait, self._events_not_before = False, time.monotonic() + AFTER_EVENTS_S
        return any(of_folders) or is_of_events


class WokenQueue(QueuedRunCoordinatorDaemon):
    """Looks for queued runs when somebody wrote to the history."""

    def __init__(self, home: Path) -> None:
        super().__init__(QUEUE_AT_LEAST_EVERY_S)
        self._databases = [Database(home / "history" / name) for name in ("runs.db", "runs/index.db")]

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext, shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Start what may start, and wait for news."""
        while True:
            yield SpanMarker.START_SPAN
            try:
                yield from self.run_iteration(workspace_process_context)
            except Exception:
                yield DaemonErrorCapture.process_exception(
                    exc_info=sys.exc_info(), logger=self._logger, log_message="The queue's daemon caught an error"
                )
            yield SpanMarker.END_SPAN
            yield from _until(self._is_news, QUEUE_AT_LEAST_EVERY_S, shutdown_event)

    def _is_news(self) -> bool:
        news = [database.is_news() for database in self._databases]  # all are asked: each remembers what it saw
        return any(news)


def _until(is_news: Callable[[], bool], most_s: float, shutdown: threading.Event) -> DaemonIterator:
    """Wait for news, for so many seconds at most, or until the daemon is to end."""
    until = time.monotonic() + most_s
    while not shutdown.wait(LOOKED_EVERY_S):
        yield None
        if is_news() or time.monotonic() >= until:
            return
