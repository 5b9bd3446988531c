"""Where the network runs and on how many threads: CUDA where there is one, otherwise the processor.

On the processor one thread of ours per core beats torch's own threads: in small layers those wait for each other, and
beside another busy process they wait for it at every layer (2 cores, one of them busy: 30 ms per photo against 1,000).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

_entered: list[int] = []
"""What torch's number of threads was each time a context below was entered that has not been left yet."""
_entering = threading.Lock()

MOST_NETWORKS = 4
"""Networks that are trained at a time: the model's own and three folds."""


def pick_device() -> torch.device:
    """Return CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute each operation on `count` threads, and restore what was set before once all have left.

    Torch has one number for the whole process. Entered from several threads at once the last one to enter decides, and
    the last one to leave restores.
    """
    with _entering:
        _entered.append(torch.get_num_threads())
        torch.set_num_threads(count)
    try:
        yield
    finally:
        with _entering:
            torch.set_num_threads(_entered.pop())


def one_thread_each() -> AbstractContextManager[None]:
    """Let torch compute on one thread, for work that is spread over threads of ours by `parallel.in_parallel`."""
    return torch_threads(1)


def networks_at_a_time(device: torch.device) -> int:
    """Return how many networks are trained beside each other: a card has one, a processor one per core, up to four."""
    return 1 if device.type == "cuda" else min(os.cpu_count() or 1, MOST_NETWORKS)


def training_threads() -> AbstractContextManager[None]:
    """Let torch compute a training step on its share of the cores: the same number on every run, so the same weights.

    As many networks as `networks_at_a_time` says share them; with few cores each has one, as beside any other busy
    process a step of more waits for the slowest thread at every layer.
    """
    return torch_threads(max(1, (os.cpu_count() or 1) // MOST_NETWORKS))
