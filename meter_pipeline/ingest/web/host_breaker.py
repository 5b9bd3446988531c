"""One circuit breaker per host: if a host does not answer, requests wait for one probe at a time, and give up together.

Without it, 3,000 URLs of a dead host would each wait for their own timeout. Giving up at once would lose a whole drop
to a server restart of some seconds; so the others wait a while for the probes before the host counts as down, and a
probe that cannot connect is not counted among its URL's attempts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

FAILURES_TO_SUSPECT = 8
"""Failures in a row, over all threads, after which a host is suspected to be down."""
PROBE_INTERVAL_S = 2.0
PATIENCE_S = 20.0
"""Seconds of failing, counted from the first failure in a row, after which a suspected host counts as down."""


@dataclass
class _Host:
    under_way: int = 0  # requests that were let in and have not ended
    failures: int = 0
    failing_since: float = 0.0
    next_probe: float = 0.0
    prober: int = 0  # the thread whose request probes a suspected host; 0: no thread
    down: bool = False

    @property
    def suspected(self) -> bool:
        return self.failures >= FAILURES_TO_SUSPECT

    @property
    def has_room(self) -> bool:
        """Whether another request may start: not more are under way than it takes to suspect the host."""
        return not self.failures or self.failures + self.under_way < FAILURES_TO_SUSPECT


class HostBreaker:
    """Knows which hosts are down; shared by all download threads.

    Args:
        cancelled: set to let waiting threads go on at once.
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
        """Wait for this request's turn and return True; return False if the host is down.

        After True, the same thread reports once how the request went: `succeeded`, `failed` or `withdrawn`.
        """
        with self._changed:
            state = self._hosts.setdefault(host, _Host())
            while not (state.down or self._cancelled.is_set()):
                now = time.monotonic()
                if state.suspected and not state.prober and now - state.failing_since > self._patience_s:
                    state.down = True
                    self._changed.notify_all()
                    break
                if state.has_room or (now >= state.next_probe and not state.prober):
                    state.prober = threading.get_ident() if state.suspected else 0
                    state.next_probe = now + self._probe_interval_s
                    state.under_way += 1
                    return True
                self._changed.wait(0.1)
            return False

    def succeeded(self, host: str) -> None:
        """Report that the host answered, whatever the answer."""
        with self._ended(host) as state:
            state.failures, state.prober, state.down = 0, 0, False

    def failed(self, host: str) -> bool:
        """Report that the host did not connect or answer; return whether it is suspected to be down."""
        with self._ended(host) as state:
            now = time.monotonic()
            state.failing_since = state.failing_since if state.failures else now
            state.failures += 1
            state.next_probe = now + self._probe_interval_s
            return state.suspected

    def withdrawn(self, host: str) -> None:
        """Report that the request ended for a reason that tells nothing about the host."""
        with self._ended(host):
            pass

    @contextlib.contextmanager
    def _ended(self, host: str) -> Iterator[_Host]:
        with self._changed:
            state = self._hosts[host]  # changed in place: waiting threads hold it
            yield state
            state.under_way -= 1
            if state.prober == threading.get_ident():
                state.prober = 0
            self._changed.notify_all()
