"""How the network uses the machine: CUDA where there is one, else a thread a core, each computing on its own.

On the CPU a thread of ours a core beats torch's own threads: in small layers those wait for each other, and beside
another busy process they wait for it at every layer (2 cores, one of them busy: 30 ms a photo against 1,000).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

MOST_WORKERS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


def pick_device() -> torch.device:
    """Return CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def set_training_threads() -> None:
    """Let torch compute a training step on half of the cores: the same number on every run, so the same weights.

    Half, because beside any other busy process a step waits for the slowest thread at every layer.
    """
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], *, ahead: int) -> Iterator[Result]:
    """Yield `work(item)` in order, computed a core each.

    Args:
        work: called from several threads at once; torch computes on one core in each.
        items: what to work on.
        ahead: results that may wait to be taken.
    """
    torch.set_num_threads(1)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WORKERS), thread_name_prefix="network") as pool:
        waiting = [pool.submit(work, item) for item in items[:ahead]]
        for position in range(len(items)):
            result = waiting.pop(0).result()
            if position + ahead < len(items):
                waiting.append(pool.submit(work, items[position + ahead]))
            yield result
