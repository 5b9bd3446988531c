"""Torch's number of threads is lent to a piece of work and given back, whoever else borrows it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from meter_pipeline.recognition.network.device import (
    networks_at_a_time,
    one_thread_each,
    torch_threads,
    training_threads,
)


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_work_gets_its_threads_and_the_process_keeps_its_own(threads: int) -> None:
    with one_thread_each():
        assert torch.get_num_threads() == 1
        with torch_threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    with pytest.raises(ZeroDivisionError), training_threads():
        _ = 1 / 0
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("cores", "networks", "threads_each"), [(1, 1, 1), (2, 2, 1), (8, 4, 2), (32, 4, 8)])
def test_networks_that_are_trained_beside_each_other_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, networks: int, threads_each: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert networks_at_a_time(torch.device("cpu")) == networks
    assert networks_at_a_time(torch.device("cuda")) == 1
    with training_threads():
        assert torch.get_num_threads() == threads_each


def test_two_photos_asked_about_at_once_leave_the_process_as_it_was(threads: int) -> None:
    """Of two contexts entered from two threads the first may be left first: the number must not stay at one."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first() -> None:
        with one_thread_each():
            first_in.set()
            second_in.wait(10)
        seen.append(torch.get_num_threads())
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with one_thread_each():
            second_in.set()
            first_out.wait(10)

    workers = [threading.Thread(target=first), threading.Thread(target=second)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert seen == [1]
    assert torch.get_num_threads() == threads
