"""Runs a server for a person: on a free port, ended by Ctrl-C or a signal, with nothing it started left running."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from types import FrameType

import psutil

from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR

STOP_TIMEOUT_S = 20.0
"""Time that the server gets to finish its work before it is killed."""


def check_port(host: str, port: int, *, command: str) -> None:
    """Raise a `MeterError` if the port cannot be listened on; `command` is what a person typed."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MeterError(
                f"Port {port} is taken or not allowed ({error.strerror or error}).",
                where=f"{host}:{port}",
                fix=f"Stop the program that uses it, or choose another port: {command} --port {port + 1}",
            ) from error


def run_until_told(command: list[str], environment: dict[str, str]) -> int:
    """Run a server until it ends or this process is told to stop; return its exit code, or 0 if it was told."""
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
    """End a process and everything it started: by a signal first, by force if that is not enough."""
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
