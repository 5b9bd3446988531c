"""Photos worked on at a time: results in order, errors where they belong, not everything held at once."""

from __future__ import annotations

import threading
import time

import pytest

from meter_pipeline.photos.parallel import in_parallel


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
