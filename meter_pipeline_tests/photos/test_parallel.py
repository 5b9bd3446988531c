"""Photos worked on at a time: results in order, errors where they belong, not everything held at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from meter_pipeline.photos.parallel import MOST_WORKERS, in_parallel


def test_results_come_in_order_whoever_is_done_first() -> None:
    def slower_first(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    assert list(in_parallel(slower_first, range(40), ahead=6)) == [number * number for number in range(40)]
    assert list(in_parallel(slower_first, [], ahead=6)) == []


def test_no_more_is_begun_than_may_wait() -> None:
    begun: list[int] = []

    def begin(number: int) -> int:
        begun.append(number)
        return number

    results = in_parallel(begin, range(100), ahead=5)
    assert next(results) == 0
    assert len(begun) <= 5
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 6


def test_items_are_taken_as_they_come_and_no_more_of_them_than_may_wait() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = in_parallel(lambda number: number, endless(), ahead=5)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) <= 15
    results.close()  # type: ignore[attr-defined]


def test_when_the_loop_ends_early_nothing_else_is_begun() -> None:
    begun, go_on = list[int](), threading.Event()

    def wait(number: int) -> int:
        begun.append(number)
        if number:
            go_on.wait(10)
        return number

    results = in_parallel(wait, range(1000), ahead=200)
    assert next(results) == 0
    threading.Timer(0.05, go_on.set).start()
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 1 + MOST_WORKERS
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]


def test_an_error_of_where_the_items_come_from_is_raised_and_leaves_no_thread() -> None:
    def breaks_off() -> Iterator[int]:
        yield from range(7)
        raise OSError("no more")

    results = in_parallel(lambda number: number, breaks_off(), ahead=4)
    with pytest.raises(OSError, match="no more"):
        list(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]


def test_an_error_is_raised_where_its_result_would_have_come() -> None:
    def broken(number: int) -> int:
        if number == 3:
            raise ValueError("photo 3")
        return number

    results = in_parallel(broken, range(10), ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="photo 3"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]
