"""Work on many photos at a time, one thread per core, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

MOST_WORKERS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, computed by one thread per core.

    Where the loop ends early, for whatever reason, what was begun is brought to its end, and nothing else is begun.

    Args:
        work: called from several threads at once. Where it computes with torch, enter `device.one_thread_each` around
            the loop.
        items: what to work on; taken one by one in the thread that takes the results, and may come slowly.
        ahead: results that may wait to be taken; no more items than that are taken beyond those whose results were.
    """
    left = iter(items)
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WORKERS), thread_name_prefix="photos")
    try:
        waiting.extend(pool.submit(work, item) for item in islice(left, ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(left, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
