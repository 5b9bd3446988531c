"""The code server: the one process that has the graph loaded; the daemon and the web server ask it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from meter_pipeline.settings import PROJECT_DIR

if TYPE_CHECKING:
    from dagster._core.workspace.load_target import WorkspaceLoadTarget

MODULE = "meter_pipeline.definitions"
LOCATION = "meter_pipeline"
"""As in workspace.yaml, which is for people who run Dagster's own commands; a test holds that."""
PATIENCE_S = 180.0
"""Time for the code to load; then the others start without it, and the UI says that it is missing."""
LOOKED_EVERY_S = 2.0
SETTLED_AFTER = 5
"""Looks at which a process was there, after which it counts as one that had loaded the code."""
_LOADER = "grpc"


@dataclass(frozen=True)
class CodeAddress:
    """Where the code server listens: a socket file, or, on Windows, which has none, a port.

    Attributes:
        socket: path of the socket file; empty on Windows.
        port: the port; 0 if there is a socket.
    """

    socket: str = ""
    port: int = 0

    @classmethod
    def of(cls, text: str) -> CodeAddress:
        """Read what `str` wrote."""
        return cls(port=int(text)) if text.isdecimal() else cls(socket=text)

    def __str__(self) -> str:
        return self.socket or str(self.port)

    def target(self) -> WorkspaceLoadTarget:
        """Return the workspace that consists of this server."""
        from dagster._core.workspace.load_target import GrpcServerTarget

        return GrpcServerTarget(
            host="localhost", port=self.port or None, socket=self.socket or None, location_name=LOCATION
        )

    def arguments(self) -> tuple[str, ...]:
        """Return what `dagster code-server start` needs to serve here."""
        where = ("--socket", self.socket) if self.socket else ("--port", str(self.port))
        return (
            *("code-server", "start", *where, "--module-name", MODULE, "--location-name", LOCATION),
            *("--working-directory", str(PROJECT_DIR), "--log-level", "warning"),
            "--inject-env-vars-from-instance",
        )

    def clear(self) -> None:
        """Remove the socket file of a server that is gone."""
        if self.socket:
            Path(self.socket).unlink(missing_ok=True)


def wait_for_code(address: CodeAddress) -> None:
    """Wait until the code server answers, or for `PATIENCE_S`."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    client = DagsterGrpcClient(port=address.port or None, socket=address.socket or None, host="localhost")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(DagsterUserCodeUnreachableError):
            client.ping("")
            return
        time.sleep(0.1)


def main() -> None:
    """Run Dagster's code server, with the arguments of the command line, until the process that loads the code dies.

    It asks a process of its own, which it replaces when people press "Reload". It does not notice if that one dies.
    """
    from dagster._cli import main as dagster

    threading.Thread(target=_end_with_the_loader, name="loader", daemon=True).start()
    dagster()


def _end_with_the_loader() -> None:
    """End this process once the process with the code, having run for a while, is gone without another one."""
    seen = 0
    while seen < SETTLED_AFTER:
        seen = seen + 1 if _has_loader() else 0
        time.sleep(LOOKED_EVERY_S)
    while _has_loader():
        time.sleep(LOOKED_EVERY_S)
    os._exit(1)  # at once: ending in order, it would wait for the answers of the process that is gone


def _has_loader() -> bool:
    return any(_is_loader(each) for each in psutil.Process().children())


def _is_loader(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and _LOADER in process.cmdline()
    except psutil.Error:
        return False


if __name__ == "__main__":
    main()
