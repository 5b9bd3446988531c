"""Bounds on what something costs, which say the same on a slow or busy machine as on the one they were set on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REFERENCE_ROUNDS = 300_000
REFERENCE_S = 0.024
"""What `_reference` took on the machine that the bounds were set on, with nothing else running (2026-11-30)."""
MEASUREMENTS = 5


@contextmanager
def costs_at_most(seconds: float) -> Iterator[None]:
    """Fail if what is inside takes more processor time than `seconds` of the machine that the bounds were set on.

    CI's machine takes twice as long for the same work, and two tests at once on two cores slow each other down: a bound
    in its own seconds failed there though nothing was wrong. What a bound guards against costs a hundred times as much.
    """
    yield from _bounded(time.process_time, seconds)


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    """Fail if what is inside takes longer by the clock than `seconds` of the machine that the bounds were set on."""
    yield from _bounded(time.monotonic, seconds)


def _bounded(clock: Callable[[], float], seconds: float) -> Iterator[None]:
    began = clock()
    yield
    taken = clock() - began
    if taken > seconds:
        times = slowness(clock)
        assert taken <= seconds * times, f"{taken:.1f} s on a machine {times:.1f} times as slow"


def slowness(clock: Callable[[], float] = time.process_time) -> float:
    """Return how many times as long this machine takes now as that of the bounds; 1 or more."""
    return max(1.0, *(_reference(clock) / REFERENCE_S for _ in range(MEASUREMENTS)))


def _reference(clock: Callable[[], float]) -> float:
    began = clock()
    for number in range(REFERENCE_ROUNDS):
        str(number)
    return clock() - began
