"""Where the code is served: what the daemon and the web server are told, and how they wait for it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster._core.workspace.load_target import WorkspaceLoadTarget

MODULE = "meter_pipeline.definitions"
LOCATION = "meter_pipeline"
"""As in workspace.yaml, which is for people who run Dagster's own commands; a test holds that."""
PATIENCE_S = 180.0
"""Time for the code to load; then the others start without it, and the UI says that it is missing."""
LOOKED_EVERY_S = 5.0
"""How often the daemon and the web server ask whether the code server is the same, and there."""


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

    def clear(self) -> None:
        """Remove the socket file of a server that is gone."""
        if self.socket:
            Path(self.socket).unlink(missing_ok=True)


def wait_for_code(address: CodeAddress) -> None:
    """Wait until the code server answers, or for `PATIENCE_S`; from then on it is looked at every `LOOKED_EVERY_S`."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc import server_watcher
    from dagster._grpc.client import DagsterGrpcClient

    server_watcher.WATCH_INTERVAL = LOOKED_EVERY_S  # type: ignore[assignment]
    client = DagsterGrpcClient(port=address.port or None, socket=address.socket or None, host="localhost")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(DagsterUserCodeUnreachableError):
            client.ping("")
            return
        time.sleep(0.1)
