"""What browsers are told with every answer: in whose frames and pages it may be, and what a page may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not `no-referrer`: browsers then send a form without its origin
    "Cross-Origin-Resource-Policy": "same-origin",  # no picture or script in a page of another site
    "Cross-Origin-Opener-Policy": "same-origin",  # a page that opened this one in a window has no hold on it
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_POLICY = "Content-Security-Policy"
_OF_NO_SOURCE = ("base-uri", "form-action", "frame-ancestors")
"""Directives for which `default-src` does not stand in."""


class SafeHeaders:
    """ASGI middleware that puts these headers on every answer.

    Args:
        app: what answers.
        content_policy: which sources the pages need, by directive. A directive that an answer gives itself is kept.
    """

    def __init__(self, app: ASGIApp, *, content_policy: Mapping[str, str]) -> None:
        self._app, self._policy = app, content_policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers[name] = value
                del headers["Feature-Policy"]  # the old name of Permissions-Policy
                headers[_POLICY] = self._merged(headers.get(_POLICY, ""))
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)

    def _merged(self, own: str) -> str:
        """Return a policy with an answer's own directives, and ours where it says nothing."""
        directives = [each.strip().partition(" ") for each in own.split(";") if each.strip()]
        said = {name.lower(): value for name, _, value in directives}
        missing = _OF_NO_SOURCE if "default-src" in said else self._policy
        merged = {**{name: self._policy[name] for name in missing}, **said}
        return "; ".join(f"{name} {value}".strip() for name, value in merged.items())
