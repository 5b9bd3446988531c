"""How far a long piece of work is gets said now and then, not with every photo."""

from __future__ import annotations

import pytest

from meter_pipeline.photos import progress
from meter_pipeline.photos.progress import INTERVAL_S, Progress, progress_words
from meter_pipeline_tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_it_is_said_once_an_interval_with_what_was_done_until_then(clock: Clock) -> None:
    said: list[str] = []
    counting = Progress(100, said.append, of="URLs")
    for _ in range(10):
        counting.advance(5)
    assert said == []
    clock.now += INTERVAL_S
    counting.advance()
    counting.advance()
    assert said == ["51 of 100 URLs, 5.1 per second, less than a minute left"]


def test_the_end_is_said_only_where_that_is_asked_for(clock: Clock) -> None:
    for at_end in (False, True):
        said: list[str] = []
        counting = Progress(2, said.append, of="photos", at_end=at_end)
        counting.advance()
        clock.now += 1
        counting.advance()
        assert said == (["2 of 2 photos, 2.0 per second"] if at_end else [])


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (1200, 5000, 31.6, "1,200 of 5,000 URLs, 38 per second, about 2 minutes left"),
        (1200, None, 31.6, "1,200 URLs, 38 per second"),
        (3, 100_000, 60.0, "3 of 100,000 URLs, 3.0 per minute, about 556 hours left"),
        (90, 100, 60.0, "90 of 100 URLs, 1.5 per second, less than a minute left"),
        (10, 20, 70.0, "10 of 20 URLs, 8.6 per minute, about 1 minute left"),
        (100, 100, 10.0, "100 of 100 URLs, 10 per second"),
        (0, 100, 10.0, "0 of 100 URLs"),
        (0, 100, 0.0, "0 of 100 URLs"),
    ],
)
def test_it_is_said_in_plain_words(done: int, total: int | None, seconds: float, words: str) -> None:
    assert progress_words(done, total, seconds, "URLs") == words
