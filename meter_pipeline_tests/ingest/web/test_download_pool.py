"""A pool that ends early, for whatever reason, gives back what came and leaves no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from meter_pipeline.ingest.web.addresses import AddressRules
from meter_pipeline.ingest.web.download_pool import FLUSH_ROWS, DownloadPool, Row
from meter_pipeline.ingest.web.fetching import CancelledError, Fetched, Fetcher, FetchLimits
from meter_pipeline_tests.support.fault_server import FaultServer

LIMITS = FetchLimits(attempts=1, addresses=AddressRules.of(["127.0.0.1"], []))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(latency_s=0.01) as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher(LIMITS) as ready:
        yield ready


def row_of(url: str, fetched: Fetched) -> Row:
    return {"image_url": url, "outcome": str(fetched.outcome)}


def urls_of(server: FaultServer, count: int) -> list[str]:
    return [server.url(f"/photo/{number}.jpg") for number in range(count)]


def no_download_thread_is_left() -> bool:
    """The fetcher's own thread, which watches deadlines, goes with the fetcher."""
    return not [thread for thread in threading.enumerate() if thread.name.removeprefix("download-").isdigit()]


@pytest.mark.slow
def test_every_url_is_written_or_given_back_once(server: FaultServer, fetcher: Fetcher) -> None:
    written: list[Row] = []
    urls = urls_of(server, 150)
    left = DownloadPool(fetcher, row_of, threads=6, per_host=4).fetch(urls, {}, written.extend)
    assert left.problem is None
    assert sorted(str(row["image_url"]) for row in [*written, *left.rows]) == sorted(urls)
    assert server.most_at_once == 4


def test_a_thread_that_fails_stops_the_others_and_what_came_is_given_back(
    server: FaultServer, fetcher: Fetcher
) -> None:
    def fail_at_the_tenth(url: str, fetched: Fetched) -> Row:
        if url.endswith("/10.jpg"):
            raise OSError("No space left on device")
        return row_of(url, fetched)

    pool = DownloadPool(fetcher, fail_at_the_tenth, threads=4, per_host=4)
    left = pool.fetch(urls_of(server, 400), {}, list[Row]().extend)
    assert isinstance(left.problem, OSError)
    assert len(left.rows) >= 7
    assert server.hits.total() < 100
    assert no_download_thread_is_left()


def test_rows_whose_writing_fails_are_given_back(server: FaultServer, fetcher: Fetcher) -> None:
    def full(rows: list[Row]) -> None:
        raise OSError("No space left on device")

    left = DownloadPool(fetcher, row_of, threads=4, per_host=4).fetch(urls_of(server, 400), {}, full)
    assert isinstance(left.problem, OSError)
    assert FLUSH_ROWS <= len(left.rows) <= server.hits.total() < 400
    assert no_download_thread_is_left()


def test_another_thread_can_end_it_and_what_came_is_given_back(server: FaultServer, fetcher: Fetcher) -> None:
    cancelled, written = threading.Event(), list[Row]()

    def cancel_after_the_tenth(url: str, fetched: Fetched) -> Row:
        if url.endswith("/10.jpg"):
            cancelled.set()
        return row_of(url, fetched)

    pool = DownloadPool(fetcher, cancel_after_the_tenth, threads=4, per_host=4)
    left = pool.fetch(urls_of(server, 400), {}, written.extend, cancelled=cancelled)
    assert isinstance(left.problem, CancelledError)
    assert 10 <= len([*written, *left.rows]) <= server.hits.total() < 400
    assert no_download_thread_is_left()
