"""How far a long piece of work is gets said now and then, not with every photo."""

from __future__ import annotations

import pytest

from meter_pipeline.photos import progress
from meter_pipeline.photos.progress import INTERVAL_S, Progress


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_it_is_said_once_an_interval_with_what_was_done_until_then(clock: Clock) -> None:
    said: list[tuple[int, int]] = []
    counting = Progress(100, lambda done, total: said.append((done, total)))
    for _ in range(10):
        counting.advance(5)
    assert said == []
    clock.now += INTERVAL_S
    counting.advance()
    counting.advance()
    assert said == [(51, 100)]


def test_the_end_is_said_only_where_that_is_asked_for(clock: Clock) -> None:
    for at_end in (False, True):
        said: list[int] = []
        counting = Progress(2, lambda done, _total, said=said: said.append(done), at_end=at_end)  # type: ignore[misc]
        counting.advance()
        counting.advance()
        assert said == ([2] if at_end else [])
