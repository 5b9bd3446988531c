"""Names that are not ours and pages of other sites get nothing from a dashboard that somebody has open."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from starlette.types import Receive, Scope, Send

from meter_pipeline.dashboard.server.app import SERVICE
from meter_pipeline.dashboard.server.hosts import Hosts
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import load_settings
from meter_pipeline_tests.support.asgi import Answer, ask

PUBLIC = ("https://meters.example", "https://meters.example:8443/meters", "http://[2001:db8::7]:8080")


def served(*, listens_on: str = "127.0.0.1", public: tuple[str, ...] = ()) -> tuple[Hosts, list[str]]:
    """Return the middleware, and the hosts that came through."""
    seen: list[str] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope["headers"])[b"host"].decode())
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})

    return Hosts(behind, service=SERVICE, listens_on=listens_on, public_urls=public), seen


def asked(host: str, *, listens_on: str = "127.0.0.1", public: tuple[str, ...] = ()) -> Answer:
    app, _ = served(listens_on=listens_on, public=public)
    return ask(app, headers={"host": host})


def own_address() -> str:
    return next(
        card.address
        for cards in psutil.net_if_addrs().values()
        for card in cards
        if card.family == socket.AF_INET and not card.address.startswith("127.")
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost:8501", "LocalHost", "localhost.", "[::1]:8501", "127.8.0.1", "localhost:9000"]
)
def test_this_machine_is_served(host: str) -> None:
    assert asked(host).text == "inside"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#127.0.0.1",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1/",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "127.0.0.1 evil.example",
        "127.0.0.1,evil.example",
        "8.8.8.8",
        "[::1",
        "meters.example",
        "",
    ],
)
def test_another_name_is_refused_with_what_to_do(host: str) -> None:
    answer = asked(host)
    assert answer.status == 403
    assert "METER_DASHBOARD_URL" in answer.text
    assert "http://127.0.0.1:8501" in answer.text
    assert not ask(served()[0], headers={"host": host}, kind="websocket").is_accepted


def test_two_host_headers_are_refused() -> None:
    app, seen = served()
    answer = ask(app, headers={"host": "127.0.0.1:8501", "HOST ": "x"})
    assert answer.status == 200  # another header
    app, seen = served()

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"].append((b"host", b"evil.example"))
        await app(scope, receive, send)

    assert ask(twice).status == 403
    assert not seen


def test_a_name_that_a_proxy_has_is_served() -> None:
    for host in ("meters.example", "meters.example:443", "METERS.example", "[2001:db8::7]:8080"):
        assert asked(host, public=PUBLIC).text == "inside"
    assert asked("other.example", public=PUBLIC).status == 403


def test_listening_to_everybody_takes_the_names_and_addresses_of_this_machine() -> None:
    name = socket.gethostname()
    for host in (own_address(), f"{own_address()}:8501", name, f"{name.partition('.')[0]}.local:8501", "0.0.0.0:8501"):
        assert asked(host, listens_on="0.0.0.0").text == "inside", host
    for host in ("evil.example", "203.0.113.7", "0.0.0.1"):
        assert asked(host, listens_on="0.0.0.0").status == 403
    assert asked("meter-box", listens_on="meter-box").text == "inside"


def test_the_name_of_the_machine_is_not_served_where_nobody_else_is() -> None:
    name = socket.gethostname()
    if name != "localhost":
        assert asked(name).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_order_comes_from_a_page_of_the_dashboard(method: str) -> None:
    app, seen = served()
    assert ask(app, method=method, headers={"origin": "http://127.0.0.1:8501"}).status == 200
    assert ask(app, method=method).status == 200, "a program is no page of another site"
    seen.clear()
    for origin in (
        "http://evil.example",
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "https://127.0.0.1:8501.evil.example",
        "http://localhost:8501",
        "null",
        "file://",
        "127.0.0.1:8501",
        "ftp://127.0.0.1:8501",
        "http://user@127.0.0.1:8501",
        "http://127.0.0.1:8501/path",
    ):
        answer = ask(app, method=method, headers={"origin": origin})
        assert answer.status == 403, origin
        assert "another address" in answer.text
    assert not seen


def test_a_websocket_is_opened_by_a_page_of_the_dashboard() -> None:
    app, seen = served()
    assert ask(app, kind="websocket", headers={"origin": "http://127.0.0.1:8501"}).is_accepted
    for origin in ("http://evil.example", "http://127.0.0.1:3000", "null"):
        answer = ask(app, kind="websocket", headers={"origin": origin})
        assert (answer.is_accepted, answer.closed_with) == (False, 1008)
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "BREW"])
def test_an_order_of_a_browser_that_names_no_page_of_ours_is_refused(method: str) -> None:
    app, seen = served()
    here, browser = "http://127.0.0.1:8501", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
    for headers in (
        {"origin": here, "sec-fetch-site": "cross-site"},
        {"origin": here, "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "Same-Site "},
        {"sec-fetch-site": "something new"},
        {"referer": "http://evil.example/page"},
        {"referer": f"{here}.evil.example/"},
        {"referer": "about:blank"},
        {"referer": "http://["},
        {"user-agent": browser},
    ):
        assert ask(app, method=method, headers=headers).status == 403, headers
        assert not ask(app, kind="websocket", headers=headers).is_accepted, headers
    assert not seen
    for headers in (
        {"origin": here, "sec-fetch-site": "same-origin", "user-agent": browser},
        {"sec-fetch-site": "same-origin", "user-agent": browser},
        {"referer": f"{here}/unknowns", "user-agent": browser},
        {"user-agent": "curl/8.5.0"},
    ):
        assert ask(app, method=method, headers=headers).status == 200, headers


def test_a_program_that_calls_itself_a_browser_is_told_what_to_send() -> None:
    app, _ = served()
    shell = {"user-agent": "Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1.19041"}
    here = ask(app, method="POST", headers=shell).text.rpartition("Send the header Origin: ")[2].strip()
    assert ask(app, method="POST", headers=shell | {"origin": here}).status == 200
    assert "Send the header" not in ask(app, method="POST", headers={"referer": "http://evil.example/"}).text


def test_a_page_of_another_site_may_link_to_the_dashboard_and_do_nothing_else() -> None:
    app, seen = served()
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(app, headers={"origin": "http://evil.example"}).status == 200
    assert ask(app, headers=link).status == 200
    seen.clear()
    for part in (
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-dest": "object"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"},
    ):
        assert ask(app, headers=link | part).status == 403, part
        assert ask(app, method="HEAD", headers=link | part).status == 403, part
    assert not seen


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://meters.example", "meters.example"),
        ("https://meters.example", "meters.example:443"),
        ("https://meters.example:8443", "meters.example"),  # nginx: proxy_set_header Host $host
        ("https://meters.example:8443", "meters.example:8443"),
        ("https://meters.example", "127.0.0.1:8501"),  # nginx, if nobody says anything
        ("http://[2001:db8::7]:8080", "[2001:db8::7]:8080"),
    ],
)
def test_a_page_behind_a_proxy_is_one_of_the_dashboard_and_streamlit_knows_it(origin: str, host: str) -> None:
    app, seen = served(public=PUBLIC)
    assert ask(app, method="POST", headers={"origin": origin, "host": host}).status == 200
    assert ask(app, kind="websocket", headers={"origin": origin, "host": host}).is_accepted
    assert all(f"//{each.removesuffix(':443')}" == origin.partition(":")[2] for each in seen)


def test_behind_a_proxy_other_pages_are_others_still() -> None:
    app, _ = served(public=PUBLIC)
    for origin in ("http://meters.example", "https://meters.example:9000", "https://evil.example"):
        assert ask(app, method="POST", headers={"origin": origin, "host": "127.0.0.1:8501"}).status == 403


def test_public_addresses_are_comma_separated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_DASHBOARD_URL", "https://meters.example, http://[2001:db8::7]:8080/ ,")
    urls = load_settings(data_dir=tmp_path).dashboard_url
    assert urls == ("https://meters.example", "http://[2001:db8::7]:8080/")
    assert all(asked(urlsplit(url).netloc, public=urls).text == "inside" for url in urls)


@pytest.mark.parametrize(
    "url",
    [
        "meters.example",
        "https://",
        "https://meters.example/..",
        "https://meters.example//",
        "https://meters.example/path?x",
        "https://a@meters.example",
        "ftp://a",
        "https://a:x",
        "https://a:99999",
        "https://a:0",
        "https://a b",
        "https://a?x",
        "*",
    ],
)
def test_what_is_no_public_address_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(MeterError, match=r"METER_DASHBOARD_URL.*Correct the value"):
        load_settings(data_dir=tmp_path, dashboard_url=url)
