"""Work on many photos at a time, one thread per core, results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_WORKERS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], *, ahead: int) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, computed by one thread per core.

    Args:
        work: called from several threads at once. Where it computes with torch, enter `device.one_thread_each` around
            the loop.
        items: what to work on.
        ahead: results that may wait to be taken.
    """
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WORKERS), thread_name_prefix="photos") as pool:
        waiting = [pool.submit(work, item) for item in items[:ahead]]
        for position in range(len(items)):
            result = waiting.pop(0).result()
            if position + ahead < len(items):
                waiting.append(pool.submit(work, items[position + ahead]))
            yield result
