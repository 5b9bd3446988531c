"""Connections: only to addresses that were checked, whatever a name server says, and never for longer than allowed."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.addresses import AddressRules
from meter_pipeline.ingest.web.connections import DeadlineWatch, GuardedPools, parts_of
from meter_pipeline.ingest.web.fetching import Fetcher, FetchLimits
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.fault_server import CANARY, FaultServer

LOOPBACK = AddressRules.of(["127.0.0.1", "localhost"], [])
SLACK_S = 1.5
"""A busy machine."""


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "localhost", "0.0.0.0", "0",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "127.0.0.1.",
    ],
)  # fmt: skip
def test_no_form_of_the_loopback_address_reaches_the_canary(host: str) -> None:
    with FaultServer() as inside, Fetcher(FetchLimits(attempts=1, connect_s=1, read_s=1)) as strict:
        fetched = strict.fetch(f"http://{host}:{inside.server_address[1]}{CANARY}")
        assert fetched.outcome in {"blocked", "host_down", "bad_url"}
        assert not fetched.content
        assert inside.hits[CANARY] == 0


class _Rebinding:
    """Answers with a public address first and the loopback one from then on, as an attacker's name server does."""

    def __init__(self, port: int) -> None:
        self.port, self.calls = port, 0

    def __call__(self, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        self.calls += 1
        address = "203.0.113.9" if self.calls % 2 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, self.port))]


def test_a_name_that_changes_its_address_between_check_and_connect_gains_nothing(server: FaultServer) -> None:
    rebinding = _Rebinding(server.server_address[1])
    limits = FetchLimits(
        attempts=3, connect_s=0.3, read_s=0.3, backoff_s=0.01, addresses=AddressRules.of([], ["203.0.113.0/24"])
    )
    before = server.hits[CANARY]
    with Fetcher(limits, resolver=rebinding) as fetcher:
        for _ in range(3):
            fetched = fetcher.fetch(server.url(CANARY, host="rebinding.example"))
            assert fetched.outcome in {"blocked", "host_down"}
    assert rebinding.calls >= 3
    assert server.hits[CANARY] == before


def test_one_inner_address_among_outer_ones_is_enough_to_refuse(server: FaultServer) -> None:
    def resolver(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("8.8.8.8", "127.0.0.1")]

    with Fetcher(FetchLimits(attempts=1), resolver=resolver) as fetcher:
        fetched = fetcher.fetch(server.url(CANARY, host="mixed.example"))
    assert fetched.outcome == "blocked"
    assert "127.0.0.1" in str(fetched.reason)
    assert "METER_ALLOW_HOSTS" in str(fetched.reason)


def test_a_network_on_the_allow_list_is_reached_under_any_name(server: FaultServer) -> None:
    def resolver(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    rules = AddressRules(networks=(ipaddress.ip_network("127.0.0.0/8"),))
    with Fetcher(FetchLimits(addresses=rules), resolver=resolver) as fetcher:
        assert fetcher.fetch(server.url("/photo/1.jpg", host="photos.intranet")).outcome == "ok"
    port = server.server_address[1]
    assert server.headers["/photo/1.jpg"]["host"] == f"photos.intranet:{port}"


def test_a_name_server_that_does_not_answer_is_not_waited_for_longer_than_a_connection() -> None:
    def silent(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        time.sleep(5)
        return []

    limits = FetchLimits(attempts=1, connect_s=0.3, addresses=LOOPBACK)
    with Fetcher(limits, resolver=silent) as fetcher, takes_at_most(0.3 + SLACK_S):
        fetched = fetcher.fetch("http://photos.example/1.jpg")
    assert (fetched.outcome, fetched.reason) == ("host_down", "The name server does not answer.")


def test_a_tls_handshake_that_drips_ends_with_the_time_to_connect() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        # A handshake record of 16,000 bytes, one byte at a time: every byte starts the socket's own time-out anew.
        connection.sendall(b"\x16\x03\x03\x3e\x80\x02\x00\x3e\x7c")
        while not closing.wait(0.1):
            try:
                connection.sendall(b"\x00")
            except OSError:
                break
        connection.close()

    threading.Thread(target=drip, daemon=True).start()
    limits = FetchLimits(attempts=1, connect_s=0.8, read_s=20, total_s=20, addresses=LOOPBACK)
    with Fetcher(limits) as fetcher, takes_at_most(0.8 + SLACK_S):
        fetched = fetcher.fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/1.jpg")
    closing.set()
    listener.close()
    assert fetched.outcome in {"timeout", "connection_error"}


_PIECES = st.sampled_from(
    [
        *"aZ09/._-~!$&'()*+,;=:@?#%",
        "%20",
        "%2F",
        "%2f",
        "%41",
        "%7E",
        "%C3%A4",
        "/../",
        "/./",
        "..",
        "//",
        " ",
        "\u00e4",
    ]
)
"""What URLs are made of, and what clients write in other ways."""


@given(
    host=st.sampled_from(["photos.example", "1.2.3.4", "a", "a-b.c", "[::1]", "a..b", "a.", "x_y.example"]),
    port=st.sampled_from(["", ":1", ":8080", ":64999", ":65535", ":80809"]),
    rest=st.lists(_PIECES, max_size=12).map("".join),
    slash=st.sampled_from(["/", "?", ""]),
)
@example(host="photos.example", port="", rest="", slash="?")
@example(host="1.2.3.4", port=":80809", rest="a", slash="/")
def test_what_is_sent_for_a_url_is_what_requests_would_send(host: str, port: str, rest: str, slash: str) -> None:
    url = f"http://{host}{port}{slash}{rest if slash else ''}"
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, None)
    except (requests.RequestException, UnicodeError):
        with pytest.raises((requests.RequestException, UnicodeError)):
            parts_of(url)
        return
    scheme, name, number, target = parts_of(url)
    assert (scheme, target) == ("http", prepared.path_url)
    assert str(prepared.url).startswith(f"http://{host}{port}")
    assert (name, f":{number}" if number else "") == (host.strip("[]"), port)


def test_without_certificates_no_server_is_asked_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem")
    watch = DeadlineWatch()
    pools = GuardedPools(LOOPBACK, watch, 1)
    with pytest.raises(MeterError, match="REQUESTS_CA_BUNDLE"):
        pools.ask("https://127.0.0.1:1/photo.jpg", {}, urllib3.Timeout(1))
    pools.close()
    watch.stop()
