"""The training that the dashboard started: one at a time, in a process of its own that outlives the dashboard.

`locks/dashboard_training.json` says which process it is; what it prints is in `logs/dashboard_training.log`. The run
itself is `meter train`: Dagster's history has it as any other.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from meter_pipeline.dashboard.processes.commands import METER, environment_for
from meter_pipeline.dashboard.processes.detached import start_detached
from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.settings import PROJECT_DIR
from meter_pipeline.storage.files import read_json, write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private

LAST_LINES = 15
LAST_BYTES = 20_000
"""Of the log, which are read for the last lines."""
SAME_PROCESS_S = 2.0
"""Seconds by which the start of a process may be told differently; ids of processes are given out again."""
STARTED_WITHIN_S = 60.0
"""Seconds after its keeper within which a training has started; a later process of its id is another one."""


class Progress(StrEnum):
    """How far a training is."""

    RUNNING = "running"
    ENDED_WELL = "ended well"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class TrainingRun:
    """The training that was started last.

    Attributes:
        progress: how far it is; lost: it is gone, and nobody noted how it ended.
        since: when it was started, UTC, ISO 8601.
        by: who started it; empty where it was not said.
        last_lines: the end of what it printed.
        log: all that it printed.
    """

    progress: Progress
    since: str
    by: str
    last_lines: str
    log: Path


def look_at_training(layout: Layout) -> TrainingRun | None:
    """Return the training that was started last from a dashboard, as it is now; None if there was none."""
    try:
        noted = read_json(_note(layout))
        pid, started, since, by = int(noted["pid"]), float(noted["process_started"]), noted["since"], noted["by"]
        datetime.fromisoformat(since)
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or a file that is not ours
        return None
    progress = Progress.RUNNING if _is_alive(pid, started) else _without_keeper(layout, started)
    return TrainingRun(progress, since, str(by), _last_lines(_log(layout)), _log(layout))


def start_training(layout: Layout, *, by: str) -> TrainingRun:
    """Start `meter train` on a data directory, and return at once.

    Args:
        layout: the data directory.
        by: who starts it; may be empty.

    Raises:
        MeterError: one is under way, or it cannot be started.
        StorageError: the disk is full or not ours to write.
    """
    return start_command(layout, [*METER, "train"], by=by)


def start_command(layout: Layout, command: list[str], *, by: str) -> TrainingRun:
    """Start the command of a training; see `start_training`."""
    note, log, ended = _note(layout), _log(layout), _ended(layout)
    for path in (note, log):
        with storage_errors(path):
            make_private(path.parent)
    try:
        with FileLock(note.with_suffix(".lock"), timeout=0):
            running = look_at_training(layout)
            if running is not None and running.progress == Progress.RUNNING:
                raise MeterError("A training is under way.", fix="Wait until it has ended.")
            with storage_errors(ended):
                ended.unlink(missing_ok=True)
                log.write_bytes(b"")
            pid = _start(layout, command)
            since = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(note, {"pid": pid, "process_started": _started(pid), "since": since, "by": by.strip()})
    except Timeout as error:
        raise MeterError("A training is being started.", fix="Wait a moment.") from error
    started = look_at_training(layout)
    assert started is not None, "it was noted above"
    return started


def _start(layout: Layout, command: list[str]) -> int:
    try:
        return start_detached(
            command,
            environment=environment_for(layout),
            folder=PROJECT_DIR,
            log=_log(layout),
            ended=_ended(layout),
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MeterError(
            f"The training could not be started: {error}.", fix="Try on the machine: meter train"
        ) from error


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it has ended already
        return 0.0


def _is_alive(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < SAME_PROCESS_S and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _without_keeper(layout: Layout, started: float) -> Progress:
    """Return how far a training is whose keeper is gone: it ended, or the keeper alone was killed."""
    try:
        noted = read_json(_ended(layout))
        if "exit_code" in noted:
            return Progress.ENDED_WELL if int(noted["exit_code"]) == 0 else Progress.FAILED
        created = psutil.Process(int(noted["pid"])).create_time()
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return Progress.LOST
    return Progress.RUNNING if 0 <= created - started < STARTED_WITHIN_S else Progress.LOST


def _last_lines(log: Path) -> str:
    try:
        with log.open("rb") as handle:
            handle.seek(max(log.stat().st_size - LAST_BYTES, 0))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-LAST_LINES:])


def _note(layout: Layout) -> Path:
    return layout.locks / "dashboard_training.json"


def _ended(layout: Layout) -> Path:
    return layout.locks / "dashboard_training_ended.json"


def _log(layout: Layout) -> Path:
    return layout.failure_log.with_name("dashboard_training.log")
