"""Through a proxy everything works as without one, under the same guard; what is the proxy's fault is called so."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.addresses import AddressRules
from meter_pipeline.ingest.web.fetching import Fetched, Fetcher, FetchLimits
from meter_pipeline.ingest.web.proxies import Proxy
from meter_pipeline.settings import DownloadSettings, load_settings
from meter_pipeline_tests.support.bounds import takes_at_most
from meter_pipeline_tests.support.fault_server import CANARY, FaultServer, jpeg
from meter_pipeline_tests.support.proxy_server import ProxyServer

LOOPBACK = AddressRules.of(["127.0.0.1", "localhost"], [])
OUTSIDE = "photos.example.com"
SLACK_S = 1.5
"""A busy machine."""


def no_names(name: str, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
    """Resolve addresses, and no names: as a machine whose name server knows the inner network only."""
    try:
        return socket.getaddrinfo(name, *args, **kwargs | {"flags": socket.AI_NUMERICHOST})
    except socket.gaierror:
        raise socket.gaierror(socket.EAI_NONAME, "unknown") from None


def fetched_through(
    proxy: ProxyServer | str, url: str, rules: AddressRules | None = None, resolver: Any = no_names, **limits: Any
) -> Fetched:
    address = proxy if isinstance(proxy, str) else proxy.url()
    some: dict[str, Any] = {"connect_s": 1.0, "read_s": 1.0, "total_s": 2.0, "attempts": 1} | limits
    settings = FetchLimits(addresses=rules or AddressRules(), proxy=Proxy.of(address), **some)
    with Fetcher(settings, resolver=resolver) as fetcher:
        return fetcher.fetch(url)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    with ProxyServer({OUTSIDE: "127.0.0.1"}) as running:
        yield running


def test_a_photo_comes_through_the_proxy_whose_name_server_knows_the_host(
    server: FaultServer, proxy: ProxyServer
) -> None:
    fetched = fetched_through(proxy, server.url("/photo/7.jpg", host=OUTSIDE))
    assert (fetched.outcome, fetched.content) == ("ok", jpeg(7))
    assert proxy.asked == [("GET", server.url("/photo/7.jpg", host=OUTSIDE))]
    assert "proxy-authorization" not in server.headers["/photo/7.jpg"]


def test_redirects_and_errors_are_the_servers_own(server: FaultServer, proxy: ProxyServer) -> None:
    assert fetched_through(proxy, server.url("/chain/3", host=OUTSIDE)).outcome == "ok"
    missing = fetched_through(proxy, server.url("/status/404", host=OUTSIDE))
    assert (missing.outcome, missing.reason) == ("not_found", "The server answered 404 Not Found.")
    denied = fetched_through(proxy, server.url("/status/403", host=OUTSIDE))
    assert "proxy" not in str(denied.reason)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "010.0.0.1", "10.0.0.1", "169.254.169.254",
        "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]", "localhost", "a.localhost", "printer", "nas.local", "wiki.internal",
        "metadata.google.internal", "x.lan", "x.home.arpa", "intranet.corp", "localhost.", "127.0.0.1.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_is_never_asked_for_what_is_inside(
    server: FaultServer, proxy: ProxyServer, scheme: str, host: str
) -> None:
    fetched = fetched_through(proxy, f"{scheme}://{host}:{server.server_address[1]}{CANARY}")
    assert fetched.outcome == "blocked"
    assert "METER_ALLOW_HOSTS" in str(fetched.reason)
    assert proxy.asked == []
    assert server.hits[CANARY] == 0


def test_a_name_that_leads_inside_here_is_not_asked_for(server: FaultServer, proxy: ProxyServer) -> None:
    def resolver(name: str, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        if name != OUTSIDE:
            return no_names(name, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 0))]

    fetched = fetched_through(proxy, server.url(CANARY, host=OUTSIDE), resolver=resolver)
    assert fetched.outcome == "blocked"
    assert proxy.asked == []
    rules = AddressRules.of([OUTSIDE], [])
    assert fetched_through(proxy, server.url(CANARY, host=OUTSIDE), rules, resolver).outcome == "ok"


def test_a_redirect_inside_is_not_followed_through_the_proxy(server: FaultServer, proxy: ProxyServer) -> None:
    for path in ("/to-private", "/to-metadata", "/moved/to-inside"):
        assert fetched_through(proxy, server.url(path, host=OUTSIDE)).outcome == "blocked"
    assert len(proxy.asked) == 3


def test_a_host_on_the_allow_list_is_reached_through_the_proxy_too(server: FaultServer, proxy: ProxyServer) -> None:
    assert fetched_through(proxy, server.url("/photo/1.jpg"), LOOPBACK).outcome == "ok"
    proxy.names = {"photos.internal": "127.0.0.1"}
    rules = AddressRules.of(["photos.internal"], [])
    assert fetched_through(proxy, server.url("/photo/1.jpg", host="photos.internal"), rules).outcome == "ok"


def test_each_host_is_looked_up_once_and_not_waited_for(server: FaultServer, proxy: ProxyServer) -> None:
    calls: list[str] = []

    def slow(name: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        if name == "127.0.0.1":
            return no_names(name, *_, **__)
        calls.append(name)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    limits = FetchLimits(attempts=1, proxy=Proxy.of(proxy.url()))
    with Fetcher(limits, resolver=slow) as fetcher:
        for number in range(5):
            assert fetcher.fetch(server.url(f"/photo/{number}.jpg", host=OUTSIDE)).outcome == "ok"
    assert calls == [OUTSIDE]


def test_a_password_goes_to_the_proxy_and_nowhere_else(server: FaultServer) -> None:
    with ProxyServer({OUTSIDE: "127.0.0.1"}, password="meter:p@ss w") as proxy:
        url = server.url("/photo/1.jpg", host=OUTSIDE)
        assert fetched_through(proxy.url("meter:p%40ss%20w"), url).outcome == "ok"
        assert "proxy-authorization" not in server.headers["/photo/1.jpg"]
        for user in ("", "meter:wr0ng"):
            for scheme in ("http", "https"):
                refused = fetched_through(proxy.url(user), url.replace("http", scheme, 1))
                assert refused.outcome == "forbidden"
                assert f"The proxy 127.0.0.1:{proxy.server_address[1]} answered 407" in str(refused.reason)
                assert "user name and password" in str(refused.reason)
                assert "wr0ng" not in str(refused.reason)


def test_what_the_proxy_refuses_is_the_proxys_refusal(server: FaultServer) -> None:
    with ProxyServer(refuses=frozenset({OUTSIDE})) as proxy:
        for scheme in ("http", "https"):
            refused = fetched_through(proxy, f"{scheme}://{OUTSIDE}/1.jpg")
            assert refused.outcome == "forbidden"
            assert "The proxy 127.0.0.1" in str(refused.reason)
            assert "ask who runs the proxy" in str(refused.reason)


def test_a_proxy_that_is_down_is_said_to_be() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    for scheme in ("http", "https"):
        fetched = fetched_through(f"http://me:s3cr3t@127.0.0.1:{port}", f"{scheme}://{OUTSIDE}/1.jpg")
        assert fetched.outcome == "host_down"
        reason = f"The proxy 127.0.0.1:{port} does not answer: Connection refused (METER_DOWNLOAD_PROXY)."
        assert fetched.reason == reason
        assert "s3cr3t" not in str(fetched.reason)


def test_a_proxy_that_does_not_answer_takes_no_longer_than_a_server() -> None:
    with ProxyServer(silent=True) as proxy:
        for scheme in ("http", "https"):
            with takes_at_most(2.0 + SLACK_S):
                fetched = fetched_through(proxy, f"{scheme}://{OUTSIDE}/1.jpg")
            assert fetched.outcome == "timeout"
            assert "through the proxy 127.0.0.1" in str(fetched.reason)


def test_no_proxy_but_that_of_the_setting_is_used(
    server: FaultServer, proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    with Fetcher(FetchLimits(addresses=LOOPBACK)) as fetcher:
        assert fetcher.fetch(server.url("/photo/1.jpg")).outcome == "ok"
    assert proxy.asked == []
    monkeypatch.setenv("NO_PROXY", "*")  # nor does the environment take the setting back
    assert fetched_through(proxy, server.url("/photo/2.jpg", host=OUTSIDE)).outcome == "ok"
    assert len(proxy.asked) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
         f"subjectAltName=DNS:{OUTSIDE},IP:127.0.0.1", "-keyout", file.with_name("key"), "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + file.with_name("key").read_text())
    return file


@pytest.mark.parametrize("proxy_by_tls", [False, True])
def test_https_goes_through_a_tunnel_and_the_certificate_is_the_servers(
    certificate: Path, proxy_by_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names = {OUTSIDE: "127.0.0.1", "other.example.com": "127.0.0.1"}
    with FaultServer() as server, ProxyServer(names, tls=context if proxy_by_tls else None) as proxy:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        port = server.server_address[1]
        untrusted = fetched_through(proxy, f"https://{OUTSIDE}:{port}/photo/1.jpg")
        assert untrusted.outcome in {"connection_error", "host_down"}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        fetched = fetched_through(proxy, f"https://{OUTSIDE}:{port}/photo/3.jpg")
        assert (fetched.outcome, fetched.content) == ("ok", jpeg(3)), fetched.reason
        assert ("CONNECT", f"{OUTSIDE}:{port}") in proxy.asked
        wrong_name = fetched_through(proxy, f"https://other.example.com:{port}/photo/3.jpg")
        assert wrong_name.outcome == "connection_error"
        assert "No secure connection" in str(wrong_name.reason)
        late = fetched_through(proxy, f"https://{OUTSIDE}:{port}/drip-body", total_s=0.6)
        assert late.outcome == "timeout"
        assert server.hits["/photo/1.jpg"] == 0


@pytest.mark.parametrize(
    "text",
    ["http://proxy:3128", "proxy.intranet:3128", "https://me:p%40ss@proxy.intranet:8080/", "http://[fd00::1]:3128"],
)
def test_addresses_of_proxies(text: str) -> None:
    setting = DownloadSettings(download_proxy=text)
    assert setting.download_proxy is not None
    limits = FetchLimits.from_settings(setting)
    assert limits.proxy is not None
    assert "@" not in limits.proxy.name
    assert "p%40ss" not in repr((setting, limits))


@pytest.mark.parametrize(
    "text",
    [
        "socks5://me:s3cr3t@proxy:1080", "socks4a://proxy", "ftp://me:s3cr3t@proxy", "http://me:s3cr3t@proxy:port",
        "http://me:s3cr3t@proxy:99999", "http://me:s3cr3t@", "http://me:s3cr3t@proxy/path", "http://me:s3/cr3t@proxy",
        "http://me:s3 cr3t@proxy:1", "http://me:s3cr3t@proxy:0", "http://me:s3cr3t@proxy?x",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    monkeypatch.setenv("METER_DOWNLOAD_PROXY", text)
    with pytest.raises(MeterError) as refused:
        load_settings(data_dir=tmp_path)
    said = f"{refused.value} {refused.value.__cause__}"
    assert "METER_DOWNLOAD_PROXY" in said
    assert "http://host:port" in said
    assert "cr3t" not in said


def test_an_empty_setting_is_no_proxy() -> None:
    assert FetchLimits.from_settings(DownloadSettings(download_proxy=" ")).proxy is None
