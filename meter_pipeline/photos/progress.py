"""Reports the progress of long work, at most every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_S = 10.0


class Progress:
    """Counts what is done and reports it now and then.

    Args:
        total: how much there is to do.
        say: called with (done, total) when `INTERVAL_S` have passed since the last time.
        at_end: whether it is also called when all is done.
    """

    def __init__(self, total: int, say: Callable[[int, int], None], *, at_end: bool = False) -> None:
        self._total, self._say, self._at_end = total, say, at_end
        self._done = 0
        self._said = time.monotonic()

    def advance(self, by: int = 1) -> None:
        """Count what was done since the last call."""
        self._done += by
        now = time.monotonic()
        if now - self._said >= INTERVAL_S or (self._at_end and self._done == self._total):
            self._said = now
            self._say(self._done, self._total)
