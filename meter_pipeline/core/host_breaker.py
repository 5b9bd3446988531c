"""A circuit breaker a host: when a host does not answer, requests wait for one probe at a time, and give up together.

Without it, 3,000 URLs of a dead host would each wait for their own time-out. With giving up at once, a server restart
of some seconds would cost a whole drop; so the others wait a while for the probes before the host counts as down.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

FAILURES_TO_SUSPECT = 8
"""Failures in a row, over all threads, from which a host is suspected to be down."""
PROBE_INTERVAL_S = 2.0
PATIENCE_S = 20.0
"""Seconds of failing, counted from the first failure in a row, after which a suspected host counts as down."""


@dataclass
class _Host:
    failures: int = 0
    failing_since: float = 0.0
    next_probe: float = 0.0
    probing: bool = False
    down: bool = False


class HostBreaker:
    """Knows which hosts are down; shared by all download threads.

    Args:
        cancelled: set when waiting threads are to go on at once.
        patience_s: see `PATIENCE_S`.
        probe_interval_s: seconds between two probes of a suspected host.
    """

    def __init__(
        self,
        cancelled: threading.Event,
        *,
        patience_s: float = PATIENCE_S,
        probe_interval_s: float = PROBE_INTERVAL_S,
    ) -> None:
        self._cancelled = cancelled
        self._patience_s, self._probe_interval_s = patience_s, probe_interval_s
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()

    def admit(self, host: str) -> bool:
        """Wait for this request's turn and return True, or False where the host is down."""
        with self._changed:
            state = self._hosts.setdefault(host, _Host())
            while True:
                now = time.monotonic()
                if state.down or self._cancelled.is_set():
                    return False
                if state.failures < FAILURES_TO_SUSPECT:
                    return True
                if now - state.failing_since > self._patience_s and not state.probing:
                    state.down = True
                    self._changed.notify_all()
                    return False
                if not state.probing and now >= state.next_probe:
                    state.probing = True
                    return True
                self._changed.wait(0.1)

    def succeeded(self, host: str) -> None:
        """The host answered, whatever it said."""
        with self._changed:
            state = self._hosts.setdefault(host, _Host())  # changed in place: waiting threads hold it
            state.failures, state.probing, state.down = 0, False, False
            self._changed.notify_all()

    def failed(self, host: str) -> None:
        """The host could not be connected to, or said nothing."""
        with self._changed:
            state = self._hosts.setdefault(host, _Host())
            now = time.monotonic()
            state.failing_since = state.failing_since if state.failures else now
            state.failures += 1
            state.probing = False
            state.next_probe = now + self._probe_interval_s
            self._changed.notify_all()
