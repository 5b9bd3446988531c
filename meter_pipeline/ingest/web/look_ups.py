"""Looking a host up, and not waiting for the name server any longer than allowed."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

Resolver = Callable[..., list[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or what a test puts in its place."""


def looked_up(resolver: Resolver, name: str, port: int | None, timeout_s: float | None) -> list[tuple[Any, ...]]:
    """Look a host up in a thread of its own: the system's call has no timeout, and may take a minute.

    Raises:
        OSError: as the resolver; `socket.gaierror` where it takes too long.
    """
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolver(name, port, type=socket.SOCK_STREAM))
        except Exception as error:  # raised again in the thread that waits
            answer.put(error)

    threading.Thread(target=ask, name="name-look-up", daemon=True).start()
    try:
        found = answer.get(timeout=timeout_s)
    except queue.Empty as error:
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer from the name server within {timeout_s:g} s") from error
    if isinstance(found, Exception):
        raise found
    return found
