"""Runs servers for a person: started together, watched, and ended together, with nothing they started left running."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from meter_pipeline.cli.process_group import end_group, own_group
from meter_pipeline.cli.tied_process import GRACE_S, command
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR

LOOKED_EVERY_S = 0.5
MOST_RESTARTS = 3
RESTARTS_WITHIN_S = 120.0
"""A server that dies more often within this time is not started again."""
AHEAD_S = 4.0
"""Time that a server has to end before those are told that it may be asking."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A server that runs as a process of its own.

    Attributes:
        name: what people call it, at the beginning of a sentence.
        module: the module that is run.
        arguments: what it is given.
        is_restarted: whether it is started again if it dies; otherwise all others end with it.
        before_start: called before each start.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    is_restarted: bool = False
    before_start: Callable[[], object] = bool


def check_port(host: str, port: int, *, command: str) -> None:
    """Raise a `MeterError` if the port cannot be listened on; `command` is what a person typed."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
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


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_until_told(servers: Sequence[Server], environment: dict[str, str]) -> int:
    """Run servers until this process is told to stop or one of them ends; then end the others.

    Returns:
        0 if this process was told to stop, else the exit code of the server that ended, or 1 if that says no failure: a
        server that ends by itself has not done its work.
    """
    told = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    running: list[_Running] = []
    ended = None
    try:
        for server in servers:
            running.append(_Running(server, environment))
        while ended is None and not told.wait(LOOKED_EVERY_S):
            ended = next((each for each in running if not each.goes_on()), None)
    finally:
        end_all([each.process for each in running])
    if ended is None or told.is_set():
        return 0
    return max(1, ended.process.returncode)


def run_to_its_end(program: Server, environment: dict[str, str]) -> int:
    """Run a program that ends by itself, and return its exit code; it does not outlive this process."""
    running = _Running(program, environment)
    try:
        return running.process.wait()
    finally:
        end_all([running.process])


class _Running:
    """A server and its process."""

    def __init__(self, server: Server, environment: dict[str, str]) -> None:
        self._server, self._environment = server, environment
        self._restarts: deque[float] = deque(maxlen=MOST_RESTARTS)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._server.before_start()
        return subprocess.Popen(
            command(self._server.module, *self._server.arguments),
            env=self._environment,
            cwd=PROJECT_DIR,
            stdin=subprocess.PIPE,
            **own_group(),  # type: ignore[call-overload]
        )

    def goes_on(self) -> bool:
        """Return whether it runs, started again if need be."""
        code = self.process.poll()
        if code is None:
            return True
        end_group(self.process.pid)
        how = f"{self._server.name} ended by itself ({_how(code)})"
        now = time.monotonic()
        is_too_often = len(self._restarts) == MOST_RESTARTS and now - self._restarts[0] < RESTARTS_WITHIN_S
        if not self._server.is_restarted or is_too_often:
            _logger.error("%s%s; the others end too.", how, ", again and again" if is_too_often else "")
            return False
        _logger.warning("%s; it is started again.", how)
        self._restarts.append(now)
        self.process = self._start()
        return True


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def end_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes and everything they started: in order if they manage that in time, else by force.

    The last one that was started is told first, as each may be asking those before it.
    """
    deadline = time.monotonic() + GRACE_S
    for process in reversed(processes):
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(AHEAD_S)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process in processes:
        end_group(process.pid)
        process.wait()
