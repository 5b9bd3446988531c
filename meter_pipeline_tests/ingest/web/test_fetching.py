"""Every fault of an image host has its outcome within its time, and no host holds up the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from meter_pipeline.ingest.web.addresses import AddressRules
from meter_pipeline.ingest.web.fetching import CancelledError, Fetched, Fetcher, FetchLimits, retry_after
from meter_pipeline.ingest.web.host_breaker import HostBreaker
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.fault_server import MOVED, PHOTO, SAYINGS, FaultServer, jpeg

LOOPBACK = AddressRules.of(["127.0.0.1", "localhost"], [])
LIMITS = FetchLimits(
    connect_s=1.0,
    read_s=0.4,
    total_s=0.8,
    attempts=2,
    max_bytes=300_000,
    backoff_s=0.05,
    retry_after_cap_s=3,
    addresses=LOOPBACK,
)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher(LIMITS) as fetcher:
        yield fetcher


#    fault               outcome             attempts  longest time, seconds (two attempts where two are made)
TABLE = [
    ("/photo/1.jpg",     "ok",               1, 0.5),
    ("/chain/4",         "ok",               1, 0.5),
    ("/gzip-photo",      "ok",               1, 0.5),
    ("/no-length",       "ok",               1, 0.5),
    ("/500-then-photo",  "ok",               2, 0.7),
    ("/reset-then-photo", "ok",              2, 0.7),
    ("/429-then-photo",  "ok",               2, 1.8),
    ("/429-nonsense",    "ok",               2, 0.7),
    ("/503-date",        "ok",               2, 2.5),
    ("/429-tomorrow",    "rate_limited",     1, 0.5),
    ("/chain/19",        "ok",               1, 0.5),
    ("/chain/20",        "bad_redirect",     1, 0.5),
    ("/cookie-wall",     "ok",               1, 0.5),
    ("/cookie-circle",   "bad_redirect",     1, 0.5),
    ("/chunked-refusal", "forbidden",        1, 0.5),
    ("/dripping-refusal", "forbidden",       1, 1.5),
    ("/loop",            "bad_redirect",     1, 0.5),
    ("/to-file",         "bad_redirect",     1, 0.5),
    ("/to-user",         "bad_redirect",     1, 0.5),
    ("/nowhere",         "http_error",       1, 0.5),
    ("/to-private",      "blocked",          1, 0.5),
    ("/to-metadata",     "blocked",          1, 0.5),
    ("/status/304",      "http_error",       1, 0.5),
    ("/status/400",      "http_error",       1, 0.5),
    ("/status/401",      "forbidden",        1, 0.5),
    ("/status/403",      "forbidden",        1, 0.5),
    ("/status/404",      "not_found",        1, 0.5),
    ("/status/410",      "not_found",        1, 0.5),
    ("/status/425",      "http_error",       2, 0.7),
    ("/status/500",      "http_error",       2, 0.7),
    ("/status/501",      "http_error",       1, 0.5),
    ("/status/204",      "http_error",       1, 0.5),
    ("/reset",           "connection_error", 2, 0.7),
    ("/reset-mid-body",  "connection_error", 2, 0.7),
    ("/garbage",         "connection_error", 2, 0.7),
    ("/short-body",      "truncated",        2, 0.7),
    ("/drip-body",       "timeout",          2, 3.0),
    ("/drip-header",     "timeout",          2, 3.0),
    ("/never",           "timeout",          2, 1.7),
    ("/5-gigabytes",     "too_large",        1, 0.5),
    ("/endless",         "too_large",        1, 0.5),
    ("/gzip-bomb",       "too_large",        1, 1.0),
    ("/html",            "not_an_image",     1, 0.5),
    ("/pdf",             "unsupported_format", 1, 0.5),
    ("/empty",           "empty",            1, 0.5),
]  # fmt: skip
SLACK_S = 1.5
"""A busy machine."""


@pytest.mark.parametrize(("path", "outcome", "attempts", "seconds"), TABLE, ids=[row[0] for row in TABLE])
def test_every_fault_has_its_outcome_in_its_time(
    server: FaultServer, fetcher: Fetcher, path: str, outcome: str, attempts: int, seconds: float
) -> None:
    server.hits.pop(path, None)
    with takes_at_most(seconds + SLACK_S):
        fetched = fetcher.fetch(server.url(path))
    assert (fetched.outcome, fetched.attempts) == (outcome, attempts), fetched.reason
    assert (fetched.reason is None) == (outcome == "ok")
    assert bool(fetched.content) == (outcome == "ok")


def test_the_bytes_are_those_of_the_photo_and_connections_are_used_again(server: FaultServer, fetcher: Fetcher) -> None:
    assert fetcher.fetch(server.url("/photo/7.jpg")).content == jpeg(7)
    assert fetcher.fetch(server.url("/gzip-photo")).content == PHOTO


def test_a_server_that_asks_for_time_gets_it(server: FaultServer, fetcher: Fetcher) -> None:
    server.hits.pop("/429-then-photo", None)
    server.times.pop("/429-then-photo", None)
    fetcher.fetch(server.url("/429-then-photo"))
    first, second = server.times["/429-then-photo"]
    assert second - first >= 1.0


def test_cookies_go_back_to_their_own_host_within_one_chain_and_nowhere_else(
    server: FaultServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert fetcher.fetch(server.url("/chain/2")).outcome == "ok"
    sent = server.headers["/photo/1.jpg"]
    assert sent["cookie"] == "session=secret"
    assert not {"authorization", "referer"} & set(sent)
    assert fetcher.fetch(server.url("/photo/1.jpg")).outcome == "ok"
    assert "cookie" not in server.headers["/photo/1.jpg"]
    with FaultServer() as other:
        MOVED["to-another"] = other.url("/photo/2.jpg")
        assert fetcher.fetch(server.url("/moved/to-another")).outcome == "ok"
        assert "cookie" not in other.headers["/photo/2.jpg"]


def test_a_chain_that_comes_back_to_where_it_was_ends_there(server: FaultServer, fetcher: Fetcher) -> None:
    server.hits.clear()
    fetched = fetcher.fetch(server.url("/moved/ping"))
    assert fetched.outcome == "bad_redirect"
    assert "circle" in str(fetched.reason)
    assert server.hits["/moved/ping"] + server.hits["/moved/pong"] <= 4


@pytest.mark.parametrize("kind", MOVED)
def test_a_redirect_is_followed_as_browsers_do(server: FaultServer, fetcher: Fetcher, kind: str) -> None:
    fetched = fetcher.fetch(server.url(f"/moved/{kind}"))
    wanted = {"to-inside": "blocked"}.get(kind, "bad_redirect" if kind.startswith(("to-", "p")) else "ok")
    assert fetched.outcome == wanted, fetched.reason


def test_a_reason_shows_nothing_of_a_redirects_query(server: FaultServer, fetcher: Fetcher) -> None:
    MOVED["to-ftp"] = "ftp://host/a.jpg?sig=s3cr3t"
    MOVED["to-itself-signed"] = "/moved/to-itself-signed?sig=s3cr3t"
    for kind in ("to-ftp", "to-itself-signed"):
        fetched = fetcher.fetch(server.url(f"/moved/{kind}?sig=s3cr3t"))
        assert fetched.outcome == "bad_redirect"
        assert "s3cr3t" not in str(fetched.reason)


#    what the server says   what is told of it
WORDS = [
    ("s3-expired",       "the signed link has expired; export the sheet again"),
    ("s3-token",         "the signed link has expired"),
    ("s3-signature",     "changed or cut off"),
    ("s3-no-key",        "no file of that name"),
    ("s3-denied",        "403 Forbidden."),
    ("azure-expired",    "the signed link has expired"),
    ("azure-private",    "signed links only"),
    ("supabase",         "the signed link has expired"),
    ("qiniu",            "the signed link has expired"),
    ("discord",          "the signed link has expired"),
    ("200-expired",      "the signed link has expired"),
    ("password",         "asks to sign in"),
    ("sign-in-title",    "asks to sign in"),
    ("not-found",        "nothing at this address"),
    ("robot",            "keeps programs out"),
    ("fault",            "an error"),
    ("share-page",       "This is a web page, not a photo."),
    ("sharepoint-image", "SharePoint's description"),
    ("json-error",       "error message"),
    ("json",             "This is text (XML, SVG or JSON), not a photo."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), WORDS, ids=[row[0] for row in WORDS])
def test_what_an_answer_without_a_photo_means_is_said_and_nothing_of_it_repeated(
    server: FaultServer, fetcher: Fetcher, kind: str, words: str
) -> None:
    fetched = fetcher.fetch(server.url(f"/says/{kind}"))
    assert words in str(fetched.reason)
    assert fetched.attempts == 1
    assert "k3y" not in str(fetched.reason)
    status = SAYINGS[kind][0]
    wanted = {200: "not_an_image", 404: "not_found", 400: "http_error", 409: "http_error"}.get(status, "forbidden")
    assert fetched.outcome == wanted


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_no_connection_is_said_without_the_numbers_of_the_system() -> None:
    limits = FetchLimits(attempts=1, addresses=AddressRules.of([], ["127.0.0.0/8"]))
    with Fetcher(limits) as fetcher:
        reason = fetcher.fetch(f"http://127.0.0.1:{_closed_port()}/1.jpg").reason or ""
    assert reason.startswith("No connection: ")
    assert "Errno" not in reason


def test_a_dead_host_is_given_up_for_all_its_urls_together() -> None:
    port = _closed_port()
    cancelled = threading.Event()
    breaker = HostBreaker(cancelled, patience_s=0.5, probe_interval_s=0.1)
    results: list[Fetched] = []
    with Fetcher(LIMITS, breaker=breaker) as fetcher:

        def work(numbers: range) -> None:
            results.extend(fetcher.fetch(f"http://127.0.0.1:{port}/{number}.jpg") for number in numbers)

        threads = [threading.Thread(target=work, args=(range(i, 3000, 8),)) for i in range(8)]
        with takes_at_most(10):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(results) == 3000
    assert {fetched.outcome for fetched in results} == {"host_down"}


@pytest.mark.slow
def test_a_host_that_comes_back_loses_no_url() -> None:
    port = _closed_port()
    breaker = HostBreaker(threading.Event(), patience_s=20, probe_interval_s=0.1)
    outcomes: list[str] = []
    first_eight, admit, waited = threading.Barrier(8), breaker.admit, threading.local()

    def admit_eight_together(host: str) -> bool:
        admitted = admit(host)
        if not hasattr(waited, "once"):
            waited.once = first_eight.wait()
        return admitted

    breaker.admit = admit_eight_together  # type: ignore[method-assign]
    with Fetcher(LIMITS, breaker=breaker) as fetcher:

        def work(numbers: range) -> None:
            outcomes.extend(
                str(fetcher.fetch(f"http://127.0.0.1:{port}/photo/{number}.jpg").outcome) for number in numbers
            )

        threads = [threading.Thread(target=work, args=(range(i, 80, 8),)) for i in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        with FaultServer(port=port):
            for thread in threads:
                thread.join()
    # One try of each of eight URLs fails before the host is suspected, and probes cost none.
    assert outcomes == ["ok"] * 80


@pytest.mark.slow
@pytest.mark.parametrize(("threads_per_host", "broken"), [(1, 3), (8, 8)])
def test_urls_that_break_off_do_not_take_their_host_down(threads_per_host: int, broken: int) -> None:
    breaker = HostBreaker(threading.Event(), patience_s=2, probe_interval_s=0.2)
    outcomes: dict[int, str] = {}
    waiting = iter(range(40))
    with FaultServer() as server, Fetcher(LIMITS, breaker=breaker) as fetcher:

        def work() -> None:
            for number in waiting:
                path = "/reset" if 4 <= number < 4 + broken else f"/photo/{number}.jpg"
                outcomes[number] = str(fetcher.fetch(server.url(path)).outcome)

        threads = [threading.Thread(target=work) for _ in range(threads_per_host)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [number for number in range(40) if outcomes[number] == "ok"] == [*range(4), *range(4 + broken, 40)]
    assert {outcomes[number] for number in range(4, 4 + broken)} == {"connection_error"}


def test_cancelling_ends_running_requests_at_once(server: FaultServer) -> None:
    limits = FetchLimits(read_s=20, total_s=20, addresses=LOOPBACK)
    raised: list[BaseException] = []
    with Fetcher(limits) as fetcher:

        def work() -> None:
            try:
                fetcher.fetch(server.url("/never"))
            except CancelledError as error:
                raised.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.3)
        with takes_at_most(2):
            fetcher.cancel()
            thread.join()
        assert raised
        with pytest.raises(CancelledError):
            fetcher.fetch(server.url("/photo/1.jpg"))


def test_retry_after_is_read_in_both_forms() -> None:
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    assert retry_after("120") == 120
    assert retry_after("Fri, 01 May 2026 12:00:30 GMT", now) == 30
    assert retry_after("Fri, 01 May 2026 11:00:00 GMT", now) == 0
    assert [retry_after(text) for text in ("soon", "", None, "-1", "1.5")] == [None] * 5
