"""The circuit breaker: who is let in while a host fails, without a network."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from meter_pipeline.ingest.web.host_breaker import FAILURES_TO_SUSPECT, HostBreaker

LONG_S, SHORT_S = 60.0, 0.05


def _busy(under_way: int, *, probe_interval_s: float) -> tuple[HostBreaker, threading.Event]:
    """A breaker that has let so many requests in, and what cancels it."""
    cancelled = threading.Event()
    breaker = HostBreaker(cancelled, patience_s=LONG_S, probe_interval_s=probe_interval_s)
    assert all(breaker.admit("host") for _ in range(under_way))
    return breaker, cancelled


def _waits(breaker: HostBreaker, cancelled: threading.Event) -> bool:
    """Whether one more request has to wait; it is cancelled then."""
    with ThreadPoolExecutor(1) as pool:
        admitted = pool.submit(breaker.admit, "host")
        try:
            admitted.result(timeout=0.3)
        except TimeoutError:
            cancelled.set()
            assert admitted.result() is False
            return True
    return False


def test_requests_under_way_count_before_a_host_is_suspected() -> None:
    breaker, cancelled = _busy(FAILURES_TO_SUSPECT, probe_interval_s=LONG_S)
    suspected = [breaker.failed("host") for _ in range(3)]
    assert suspected == [False] * 3
    assert _waits(breaker, cancelled), "Three failed and five may: that is all it takes."


def test_after_one_answer_there_is_no_limit() -> None:
    breaker, _ = _busy(FAILURES_TO_SUSPECT, probe_interval_s=LONG_S)
    breaker.failed("host")
    breaker.succeeded("host")
    assert all(breaker.admit("host") for _ in range(100))


def test_requests_that_hang_do_not_hold_up_the_others() -> None:
    breaker, cancelled = _busy(FAILURES_TO_SUSPECT, probe_interval_s=SHORT_S)
    breaker.failed("host")
    assert not _waits(breaker, cancelled), "One per interval is let in, to see whether the host answers."


def test_a_request_that_is_withdrawn_makes_room() -> None:
    breaker, cancelled = _busy(FAILURES_TO_SUSPECT, probe_interval_s=LONG_S)
    breaker.failed("host")
    breaker.withdrawn("host")
    assert breaker.admit("host")
    assert _waits(breaker, cancelled)


def test_who_was_under_way_before_does_not_end_the_probe() -> None:
    breaker, cancelled = _busy(FAILURES_TO_SUSPECT + 1, probe_interval_s=SHORT_S)
    for _ in range(FAILURES_TO_SUSPECT):
        breaker.failed("host")
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(breaker.admit, "host").result()
    breaker.failed("host")
    assert _waits(breaker, cancelled), "The probe has not ended."


def test_one_probe_at_a_time_and_its_failure_is_not_its_own() -> None:
    breaker, cancelled = _busy(FAILURES_TO_SUSPECT, probe_interval_s=SHORT_S)
    suspected = [breaker.failed("host") for _ in range(FAILURES_TO_SUSPECT)]
    assert suspected == [False] * (FAILURES_TO_SUSPECT - 1) + [True]
    assert breaker.admit("host")
    assert breaker.failed("host") is True
    assert breaker.admit("host")
    assert _waits(breaker, cancelled), "The probe has not ended."


def test_a_host_that_fails_longer_than_the_patience_is_down() -> None:
    breaker = HostBreaker(threading.Event(), patience_s=SHORT_S, probe_interval_s=SHORT_S / 4)
    while breaker.admit("host"):
        breaker.failed("host")
    assert not breaker.admit("host")
    assert breaker.admit("another host")
