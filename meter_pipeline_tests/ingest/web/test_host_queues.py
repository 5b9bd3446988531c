from __future__ import annotations

import threading
from collections import Counter
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.web.host_queues import HostQueues


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 999)), unique=True, max_size=60),
    st.integers(1, 4),
    st.data(),
)
def test_every_url_comes_out_once_and_no_host_has_more_than_its_share_out(
    pairs: list[tuple[int, int]], per_host: int, data: st.DataObject
) -> None:
    urls = [f"http://host{host}/{number}" for host, number in pairs]
    queues = HostQueues(urls, per_host, threading.Event())
    out: list[str] = []
    seen: list[str] = []
    while len(seen) < len(urls) or out:
        hosts = Counter(urlsplit(url).netloc for url in out)
        waiting = Counter(urlsplit(url).netloc for url in set(urls) - set(seen))
        free = any(hosts[host] < per_host for host in waiting)
        if free and (not out or data.draw(st.booleans())):
            url = queues.take()
            assert url is not None
            out.append(url)
            seen.append(url)
            assert max(Counter(urlsplit(url).netloc for url in out).values()) <= per_host
        else:
            queues.done(out.pop(data.draw(st.integers(0, len(out) - 1))))
    assert sorted(seen) == sorted(urls)
    assert queues.take() is None


def test_a_slow_host_does_not_hold_up_the_others() -> None:
    queues = HostQueues(["http://slow/1", "http://slow/2", "http://quick/1", "http://quick/2"], 1, threading.Event())
    assert [queues.take(), queues.take()] == ["http://slow/1", "http://quick/1"]
    queues.done("http://quick/1")
    assert queues.take() == "http://quick/2"


def test_waiting_ends_when_stopped() -> None:
    stopped = threading.Event()
    queues = HostQueues(["http://a/1", "http://a/2"], 1, stopped)
    assert queues.take() == "http://a/1"
    threading.Timer(0.2, stopped.set).start()
    assert queues.take() is None
