"""The optional password of a shared dashboard, in front of everything that the server answers.

It keeps people out; it does not encrypt what is sent, and does not tell people apart.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from html import escape
from importlib.resources import files
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from meter_pipeline.dashboard.server.hosts import POLICY_VIOLATION, closing
from meter_pipeline.dashboard.server.sub_path import base_of
from meter_pipeline.dashboard.server.token import TOKEN_HEADER

LOGIN_PATH = "/login"
VISITOR = "meter.visitor"
"""Of a request that was let in: in its scope, which login it came with."""
HEALTH_PATH = "/_stcore/health"
"""Says only that the server runs; open to programs on the same machine, which start and watch it."""
SESSION_S = 12 * 3600.0
"""A working day; then the password is asked for again."""
GUESSES = 5
GUESSES_WITHIN_S = 60.0
"""Wrong guesses that all visitors together have within this time; further ones are not even compared."""
LONGEST_FORM = 16_384
"""Bytes of a form with a password and a path; a longer one is no login."""
_LOOPBACK = ("127.0.0.1", "::1")
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _CONTENT_POLICY,
    "Referrer-Policy": "same-origin",  # not `no-referrer`: browsers then send a form without its origin
    "X-Content-Type-Options": "nosniff",
}


class WrongGuesses:
    """Counts the wrong guesses of all visitors, and says how long the next one has to wait."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=GUESSES)

    def count(self, now: float) -> None:
        """Remember one."""
        self._at.append(now)

    def wait_s(self, now: float) -> float:
        """Return how many seconds nobody may guess; 0 if one may."""
        return max(0.0, self._at[0] + GUESSES_WITHIN_S - now) if len(self._at) == GUESSES else 0.0


class Login:
    """ASGI middleware that lets nobody through without the cookie that the password gives.

    Args:
        app: what is protected.
        password: the password.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, app: ASGIApp, *, password: str, now: Callable[[], float] = time.monotonic) -> None:
        self._app, self._password, self._now = app, password.encode(), now
        self._ends: dict[str, float] = {}
        self._wrong = WrongGuesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and ask everybody else for the password."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == LOGIN_PATH:
            await (await self._login(Request(scope, receive)))(scope, receive, send)
        elif self._left_s(scope) > 0 or _is_health_check_from_here(scope):
            await self._app({**scope, VISITOR: _session(scope)}, receive, send)
        else:
            await _ask(scope)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = self._left_s(scope)
        if left <= 0:
            await receive()  # the request to open it
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
            return
        try:
            async with asyncio.timeout(left) as limit:  # an open page must not outlive the login it was opened with
                await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})

    async def _login(self, request: Request) -> Response:
        base = base_of(request.scope)
        if request.method != "POST":
            return _redirect(f"{base}/") if self._left_s(request.scope) > 0 else _page(base, "/", status=401)
        form = parse_qs((await _body(request)).decode(errors="replace"), keep_blank_values=True)
        given, target = form.get("password", [""])[0], _own_path(form.get("next", ["/"])[0])
        now = self._now()
        if (wait := math.ceil(self._wrong.wait_s(now))) > 0:
            problem = (
                f"There were {GUESSES} wrong passwords within a minute, from all visitors together. "
                f"Try again in {wait} {'second' if wait == 1 else 'seconds'}."
            )
            return _page(base, target, status=429, problem=problem, headers={"Retry-After": str(wait)})
        if not hmac.compare_digest(given.encode(errors="replace"), self._password):
            self._wrong.count(now)
            return _page(base, target, status=401, problem="This is not the password.")
        response = _redirect(f"{base}{target}")
        response.set_cookie(
            _cookie_name(request.scope),
            self._new_session(now),
            max_age=int(SESSION_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    def _new_session(self, now: float) -> str:
        self._ends = {session: end for session, end in self._ends.items() if end > now}
        session = secrets.token_urlsafe(32)
        self._ends[session] = now + SESSION_S
        return session

    def _left_s(self, scope: Scope) -> float:
        """Return for how many seconds a visitor is logged in; 0 or less if not at all."""
        return self._ends.get(_session(scope), -math.inf) - self._now()


def _session(scope: Scope) -> str:
    return HTTPConnection(scope).cookies.get(_cookie_name(scope), "")


def _cookie_name(scope: Scope) -> str:
    """Return the cookie's name: browsers send it to every port of a host, so each of two dashboards has its own."""
    return f"meter_login_{(scope.get('server') or ('', ''))[1]}"


def _is_health_check_from_here(scope: Scope) -> bool:
    client = scope.get("client")
    return scope["path"] == HEALTH_PATH and client is not None and client[0] in _LOOPBACK


async def _body(request: Request) -> bytes:
    """Return the form as sent; nothing if it is too long to be one."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return b""
    return bytes(body)


def _ask(scope: Scope) -> Response:
    """Return the login page, or a sentence for a page that is open and asks by itself."""
    if TOKEN_HEADER in Headers(scope=scope):
        problem = "You are not logged in any more. Reload the page and enter the password."
        headers = {"Cache-Control": "no-store", **closing(scope)}
        return JSONResponse({"error": problem}, status_code=401, headers=headers)
    asked = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    target = _own_path(f"{asked}?{query}" if query else asked)
    return _page(base_of(scope), target, status=401, headers=closing(scope))


def _own_path(target: str) -> str:
    """Return a path of this server; `/` for whatever a browser could take for the address of another one."""
    is_path = target.startswith("/") and not target.startswith("//") and "\\" not in target
    is_plain = target.isascii() and target.isprintable() and " " not in target
    return target if is_path and is_plain and target.partition("?")[0] != LOGIN_PATH else "/"


def _redirect(target: str) -> RedirectResponse:
    return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})


def _page(
    base: str, target: str, *, status: int, problem: str = "", headers: dict[str, str] | None = None
) -> HTMLResponse:
    html = files(__package__).joinpath("templates/login.html").read_text(encoding="utf-8")
    for name, value in {"base": base, "next": target, "problem": problem}.items():
        html = html.replace(f"{{{{{name}}}}}", escape(value))
    return HTMLResponse(html, status_code=status, headers={**_HEADERS, **(headers or {})})
