"""Says how far long work is, in words: how much is done, how fast it goes, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL_S = 10.0
_MINUTE_S, _HOUR_S = 60, 3600


class Progress:
    """Counts what is done and says it now and then.

    Args:
        total: how much there is to do; None where that is not known.
        say: called with words like "1,200 of 5,000 URLs, 38 per second, about 2 minutes left" when `INTERVAL_S` have
            passed since the last time.
        of: what is counted, in the plural.
        at_end: whether it is also said when all is done.
    """

    def __init__(self, total: int | None, say: Callable[[str], None], *, of: str, at_end: bool = False) -> None:
        self._total, self._say, self._of, self._at_end = total, say, of, at_end
        self._done = 0
        self._began = self._said = time.monotonic()

    def advance(self, by: int = 1) -> None:
        """Count what was done since the last call."""
        self._done += by
        now = time.monotonic()
        if now - self._said >= INTERVAL_S or (self._at_end and self._done == self._total):
            self._said = now
            self._say(progress_words(self._done, self._total, now - self._began, self._of))


def progress_words(done: int, total: int | None, seconds: float, of: str) -> str:
    """Return how far a work is, in words.

    Args:
        done: how much is done.
        total: how much there is to do; None where that is not known.
        seconds: what it has taken so far.
        of: what is counted, in the plural.
    """
    words = [f"{done:,} {of}" if total is None else f"{done:,} of {total:,} {of}"]
    rate = done / seconds if seconds > 0 else 0.0
    if rate:
        words.append(rate_words(rate))
    if rate and total is not None and done < total:
        words.append(f"{duration_words((total - done) / rate)} left")
    return ", ".join(words)


def rate_words(rate: float) -> str:
    """Return a rate (1/s) in words, with two digits where it is small: `38 per second`, `4.2 per minute`."""
    unit, value = ("second", rate) if rate >= 1 else ("minute", rate * _MINUTE_S)
    return f"{value:,.0f} per {unit}" if value >= 10 else f"{value:.1f} per {unit}"


def duration_words(seconds: float) -> str:
    """Return a duration in words, as roughly as it is known: `less than a minute`, `about 2 minutes`."""
    if seconds < _MINUTE_S:
        return "less than a minute"
    number, unit = (
        (round(seconds / _MINUTE_S), "minute") if seconds < 1.5 * _HOUR_S else (round(seconds / _HOUR_S), "hour")
    )
    return f"about {number} {unit}{'' if number == 1 else 's'}"
