"""Starts the Dagster UI and its daemon for a data directory, and leaves nothing running when it stops."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from types import FrameType

import dagster as dg
import psutil
from filelock import FileLock, Timeout

from meter_pipeline.core.layout import Layout
from meter_pipeline.defs.instance import fail_abandoned_runs, prepare_home, set_pool_limits
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR, Settings

STOP_TIMEOUT_S = 20.0
"""Time the daemon gets to end its runs before it is killed."""


def serve(settings: Settings, *, host: str, port: int) -> int:
    """Run `dagster dev` until it ends or this process is told to stop, and return its exit code.

    Raises:
        MeterError: the port is taken, or another `meter dev` is up on this data directory.
    """
    home = prepare_home(settings.data_dir)
    Layout(settings.data_dir).prepare()
    lock = FileLock(home / "dev.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MeterError(
            "Another `meter dev` is up on this data directory.", where=home, fix="Use that one, or stop it first."
        ) from error
    with lock:
        check_port(host, port)
        with dg.DagsterInstance.get() as instance:
            set_pool_limits(instance)
            fail_abandoned_runs(instance, launched_too=True)
        return _run_until_told(
            [
                *(sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT_DIR / "workspace.yaml")),
                *("-h", host, "-p", str(port), "--log-level", "warning"),
            ],
            {
                **os.environ,
                "METER_DATA_DIR": str(settings.data_dir),
                "PYTHONUNBUFFERED": "1",
                "PYTHONWARNINGS": "ignore",
            },
        )


def check_port(host: str, port: int) -> None:
    """Raise a `MeterError` if the port cannot be listened on."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MeterError(
                f"Port {port} is taken or not allowed ({error.strerror or error}).",
                where=f"{host}:{port}",
                fix="Stop what uses it, or choose another: meter dev --port 3001",
            ) from error


def _run_until_told(command: list[str], environment: dict[str, str]) -> int:
    told = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    process = psutil.Popen(command, env=environment, cwd=PROJECT_DIR)
    while process.poll() is None and not told.wait(0.5):
        pass
    _stop_tree(process)
    return 0 if told.is_set() else int(process.returncode or 0)


def _stop_tree(process: psutil.Popen) -> None:
    """End a process and everything it started: first asked, then made to."""
    try:
        children = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    if process.poll() is None:
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
    for child in [*children, process]:
        if child.is_running():
            child.terminate()
    _gone, alive = psutil.wait_procs([*children, process], timeout=5)
    for child in alive:
        child.kill()
