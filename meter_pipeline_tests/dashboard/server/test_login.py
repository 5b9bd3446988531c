"""The password: nothing is behind it that can be had without it, and it cannot be found by trying."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest
from starlette.types import Receive, Scope, Send

from meter_pipeline.dashboard.server.login import GUESSES, GUESSES_WITHIN_S, SESSION_S, Login
from meter_pipeline_tests.support.asgi import Answer, ask

PASSWORD = "gehéim & secret"


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> list[str]:
    """The paths that came through."""
    return []


@pytest.fixture
def app(clock: Clock, seen: list[str]) -> Login:
    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})

    return Login(behind, password=PASSWORD, now=clock)


def enter(app: Login, password: str, *, target: str = "/", client: str = "192.168.1.20") -> Answer:
    form = urlencode({"password": password, "next": target}).encode()
    return ask(app, "/login", method="POST", body=form, client=client)


def logged_in(app: Login) -> dict[str, str]:
    """Log in and return the header that the browser sends from then on."""
    answer = enter(app, PASSWORD)
    assert answer.status == 303
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/unknowns?cluster=7",
        "/_stcore/health",
        "/_stcore/health/",
        "//_stcore/health",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/upload_file/session/file",
        "/_stcore/bidi-components/x.js",
        "/media/abc.jpg",
        "/component/x/index.html",
        "/static/js/index.js",
        "/review/overview",
        f"/review/thumbnail/{'a' * 64}?t=guessed",
        "/login/../media/abc.jpg",
        "/oauth2callback",
    ],
)
def test_nothing_is_answered_without_the_password(app: Login, seen: list[str], path: str, method: str) -> None:
    answer = ask(app, path, method=method)
    assert (answer.status, seen) == (401, [])
    assert answer.headers["cache-control"] == "no-store"


def test_no_websocket_is_opened_without_the_password(app: Login, seen: list[str]) -> None:
    for path in ("/_stcore/stream", "/login", "/_stcore/health"):
        answer = ask(app, path, kind="websocket", client="127.0.0.1")
        assert (answer.is_accepted, answer.closed_with) == (False, 1008)
    assert not seen


def test_a_program_on_the_same_machine_may_ask_whether_the_server_runs_and_nothing_else(app: Login) -> None:
    assert ask(app, "/_stcore/health", client="127.0.0.1").status == 200
    assert ask(app, "/_stcore/metrics", client="127.0.0.1").status == 401


def test_the_password_opens_everything(app: Login) -> None:
    cookie = logged_in(app)
    for path in ("/", "/media/abc.jpg", "/_stcore/health"):
        assert ask(app, path, headers=cookie).text == "inside"
    assert ask(app, "/_stcore/stream", kind="websocket", headers=cookie).is_accepted
    assert ask(app, "/login", headers=cookie).headers["location"] == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: Login) -> None:
    cookie = enter(app, PASSWORD).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f"max-age={int(SESSION_S)}" in cookie
    assert enter(app, PASSWORD).headers["set-cookie"].lower() != cookie


def test_another_cookie_opens_nothing(app: Login) -> None:
    name = logged_in(app)["cookie"].partition("=")[0]
    for value in ("", "guessed", PASSWORD.encode().hex()):
        assert ask(app, headers={"cookie": f"{name}={value}"}).status == 401


def test_after_twelve_hours_the_password_is_asked_for_again(app: Login, clock: Clock) -> None:
    cookie = logged_in(app)
    clock.seconds += SESSION_S - 1
    assert ask(app, headers=cookie).status == 200
    clock.seconds += 1
    assert ask(app, headers=cookie).status == 401
    assert not ask(app, "/_stcore/stream", kind="websocket", headers=cookie).is_accepted


def test_a_page_that_is_open_does_not_outlive_its_login(clock: Clock) -> None:
    async def never_ends(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(60)

    app = Login(never_ends, password=PASSWORD, now=clock)
    cookie = logged_in(app)
    clock.seconds += SESSION_S - 0.05
    answer = ask(app, "/_stcore/stream", kind="websocket", headers=cookie)
    assert (answer.is_accepted, answer.closed_with) == (True, 1008)


def test_a_wrong_password_is_said_and_the_page_asked_for_is_kept(app: Login) -> None:
    assert 'value="/classes?class=A&amp;b=%22"' in ask(app, "/classes?class=A&b=%22").text
    answer = enter(app, "another", target="/classes?class=A")
    assert answer.status == 401
    assert "This is not the password" in answer.text
    assert "set-cookie" not in answer.headers
    assert 'value="/classes?class=A"' in answer.text
    assert enter(app, PASSWORD, target="/classes?class=A").headers["location"] == "/classes?class=A"


@pytest.mark.parametrize(
    "form", [b"", b"password", b"password=", b"\xff=\xff&password=%ff", b"{}", b"password=" * 3000]
)
def test_what_is_no_login_form_opens_nothing(app: Login, form: bytes) -> None:
    answer = ask(app, "/login", method="POST", body=form)
    assert answer.status == 401
    assert "This is not the password" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "evil.example",
        "/é",
        "/login?again",
        "",
    ],
)
def test_nobody_is_sent_to_another_site_after_the_login(app: Login, target: str) -> None:
    answer = enter(app, PASSWORD, target=target)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_text_of_a_visitor_is_no_markup_on_the_login_page(app: Login) -> None:
    assert "<script>" not in ask(app, '/"><script>alert(1)</script>').text
    assert "<script>" not in enter(app, "<script>", target='/"><script>').text


def test_the_login_page_asks_nobody_else_for_anything(app: Login) -> None:
    page = ask(app)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    assert "prefers-color-scheme: dark" in page.text


def test_an_open_page_that_asks_by_itself_gets_a_sentence(app: Login) -> None:
    answer = ask(app, "/review/overview", headers={"X-Meter-Token": "old"})
    assert answer.status == 401
    assert "not logged in any more" in answer.json()["error"]


def test_wrong_guesses_of_all_visitors_together_are_limited(app: Login, clock: Clock) -> None:
    cookie = logged_in(app)
    for number in range(GUESSES):
        assert enter(app, f"guess {number}", client=f"192.168.1.{number}").status == 401
        clock.seconds += 1
    for client in ("192.168.1.99", "127.0.0.1"):
        answer = enter(app, PASSWORD, client=client)
        assert (answer.status, answer.headers["retry-after"]) == (429, str(int(GUESSES_WITHIN_S) - GUESSES))
        assert "Try again in 55 seconds" in answer.text
        assert "set-cookie" not in answer.headers
    assert ask(app, headers=cookie).status == 200, "who is logged in works on"
    clock.seconds += GUESSES_WITHIN_S - GUESSES
    assert enter(app, PASSWORD).status == 303


def test_a_guess_while_guesses_wait_makes_nobody_wait_longer(app: Login, clock: Clock) -> None:
    for number in range(GUESSES):
        enter(app, f"guess {number}")
    for _ in range(20):
        assert enter(app, "once more").status == 429
    clock.seconds += GUESSES_WITHIN_S
    assert enter(app, PASSWORD).status == 303


def test_guesses_at_the_same_moment_are_counted_one_by_one(app: Login) -> None:
    statuses = []

    async def guess(number: int) -> None:
        async def receive() -> dict[str, object]:
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": f"password={number}".encode()}

        async def send(message: dict[str, object]) -> None:
            statuses.append(message.get("status"))

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/login",
            "headers": [],
            "query_string": b"",
            "scheme": "http",
        }
        await app(scope, receive, send)  # type: ignore[arg-type]

    async def everybody() -> None:
        await asyncio.gather(*map(guess, range(50)))

    asyncio.run(everybody())
    assert statuses.count(401) == GUESSES
    assert statuses.count(429) == 50 - GUESSES


def test_two_dashboards_on_one_machine_do_not_log_each_other_out(app: Login) -> None:
    assert logged_in(app)["cookie"].startswith("meter_login_8501=")
