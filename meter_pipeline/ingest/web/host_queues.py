"""URLs that wait to be fetched, by host, handed out so that no host gets more than its share of requests at once."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from meter_pipeline.ingest.web.urls import host_of

_POLL_S = 0.1


class HostQueues:
    """Hands out URLs to download threads: hosts in turn, each host's URLs in order.

    The share is counted for the host that a URL names; where it redirects to is not known beforehand.

    Args:
        urls: cleaned URLs.
        per_host: URLs of one host that may be handed out at a time.
        stopped: set to let waiting threads return without a URL.
    """

    def __init__(self, urls: Iterable[str], per_host: int, stopped: threading.Event) -> None:
        self._waiting: dict[str, deque[str]] = {}
        for url in urls:
            self._waiting.setdefault(host_of(url), deque()).append(url)
        self._per_host, self._stopped = per_host, stopped
        self._out: Counter[str] = Counter()
        self._turns = deque(self._waiting)  # hosts with URLs left and a place free
        self._left = sum(map(len, self._waiting.values()))
        self._changed = threading.Condition()

    def take(self) -> str | None:
        """Wait for a URL whose host has a place free and return it; None if no URL is left, or when stopped."""
        with self._changed:
            while not self._turns:
                if self._left == 0 or self._stopped.is_set():
                    return None
                self._changed.wait(_POLL_S)
            if self._stopped.is_set():
                return None
            host = self._turns.popleft()
            url = self._waiting[host].popleft()
            self._left -= 1
            self._out[host] += 1
            if self._waiting[host] and self._out[host] < self._per_host:
                self._turns.append(host)
            if self._left == 0:
                self._changed.notify_all()  # nothing will come for those that wait
            elif self._turns:
                self._changed.notify()
            return url

    def done(self, url: str) -> None:
        """Return the place of a URL that was taken to its host."""
        host = host_of(url)
        with self._changed:
            was_full = self._out[host] == self._per_host
            self._out[host] -= 1
            if was_full and self._waiting[host]:
                self._turns.append(host)
                self._changed.notify()  # one: to wake all who wait costs as much as to fetch the URL
