"""Which addresses a server of ours answers under, and from which pages it takes orders.

A page of another site can make a visitor's browser send requests to this machine. It cannot choose what the browser
says of where they come from (`Origin`, `Sec-Fetch-Site`, `Referer`), so what changes something has to come from a page
of ours or from a program. It could choose the header `Host`, by a name of its own that it lets point to this machine
(DNS rebinding): so a name has to be one that is known to be ours. The dashboard and the Dagster UI both stand behind
this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from meter_pipeline.dashboard.server.addresses import (
    Address,
    is_every_address,
    is_number_of_this_machine,
    names_of_this_machine,
    origin_of,
)

POLICY_VIOLATION = 1008
"""What a refused websocket is closed with."""
_READING = ("GET", "HEAD", "OPTIONS")
_OURS = ("same-origin", "none")
"""Of `Sec-Fetch-Site`: from a page of this address, or typed in by a person."""
_PAGES = ("document", "")
"""Of `Sec-Fetch-Dest`: a page in a window of its own, not in a frame."""
_BROWSER = "mozilla/"
"""Every browser's `User-Agent` begins so."""
_OF_WHERE_FROM = ("origin", "referer", "sec-fetch-site")
_SHOWN_LENGTH = 100


@dataclass(frozen=True)
class Service:
    """What is behind the door, for the sentences of a refusal.

    Attributes:
        name: in the middle of a sentence, such as `the dashboard`.
        setting: the setting with its public addresses.
        command: what a person types to start it.
    """

    name: str
    setting: str
    command: str


class Hosts:
    """ASGI middleware that refuses requests to foreign names, and from foreign pages all but opening a page.

    Args:
        app: what is protected.
        service: what that is.
        listens_on: the address that the server was told to listen on.
        public_urls: the addresses under which a proxy in front serves it.
    """

    def __init__(self, app: ASGIApp, *, service: Service, listens_on: str, public_urls: Iterable[str] = ()) -> None:
        self._app, self._service = app, service
        public = [Address.of_origin(origin_of(url)) for url in public_urls]
        self._public = {origin for origin in public if origin is not None}
        self._names = {"localhost", listens_on.lower().rstrip("."), *(origin.host for origin in self._public)}
        if is_every_address(listens_on):
            self._names |= names_of_this_machine()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for this server, and refuse the rest."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        address = Address.read(hosts[0]) if len(hosts) == 1 else None
        if address is None or not self._is_ours(address.host):
            await refuse(scope, receive, send, self._foreign_host(", ".join(hosts), scope))
            return
        is_order = scope["type"] == "websocket" or scope["method"] not in _READING
        if not self._is_from_here(hosts[0], headers) if is_order else _is_part_of_another_page(headers):
            await refuse(scope, receive, send, self._foreign_page(hosts[0], headers))
            return
        if is_order and origins and Address.of_origin(origins[0]) != _as_origin(hosts[0], like=origins[0]):
            # A proxy put its own host in. Streamlit would not know its own page, and would ask a server on the
            # internet for this machine's public address to find out.
            kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            asked_from = origins[0].partition("://")[2].encode("latin-1")
            scope = {**scope, "headers": [*kept, (b"host", asked_from)]}
        await self._app(scope, receive, send)

    def _is_from_here(self, host: str, headers: Headers) -> bool:
        """Return whether an order comes from a page of ours or from a program, by all that is said of where it is from.

        A browser names the page that an order comes from. A program need not say anything.
        """
        sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
        if any(site.strip().lower() not in _OURS for site in sites):
            return False
        if origins:
            return len(origins) == 1 and self._is_origin_of_ours(origins[0], host)
        if referer := headers.get("referer"):
            try:
                return self._is_origin_of_ours(origin_of(referer), host)
            except ValueError:  # no address, such as `http://[`
                return False
        return bool(sites) or not headers.get("user-agent", "").lower().startswith(_BROWSER)

    def _is_origin_of_ours(self, origin: str, host: str) -> bool:
        address = Address.of_origin(origin)
        return address is not None and (address == _as_origin(host, like=origin) or address in self._public)

    def _is_ours(self, host: str) -> bool:
        if host in self._names:
            return True
        if not is_number_of_this_machine(host):
            return False
        self._names.add(host)  # a number is no name that somebody could point elsewhere, so it may stay
        return True

    def _foreign_host(self, host: str, scope: Scope) -> str:
        port = (scope.get("server") or ("", None))[1]
        here = "http://127.0.0.1" + (f":{port}" if port else "")
        shown = "".join(letter for letter in host if letter.isascii() and letter.isprintable())[:_SHOWN_LENGTH]
        name = self._service.name
        return (
            f"{name[:1].upper()}{name[1:]} does not answer under the name '{shown}', as it does not know it to be its"
            f" own. On the machine it runs on, open {here}. If people reach it by that name, put the address that they"
            f" open into {self._service.setting} and start `{self._service.command}` again.\n"
        )

    def _foreign_page(self, host: str, headers: Headers) -> str:
        name, setting = self._service.name, self._service.setting
        if not any(said in headers for said in _OF_WHERE_FROM):
            return (
                f"This calls itself a browser and does not say from which page it comes, so {name} did nothing. If it"
                f" is a program, such as Invoke-RestMethod: Send the header Origin: http://{host}\n"
            )
        return (
            f"This came from a page of another address, so {name} did nothing. Open {name} itself; if it is behind a"
            f" proxy, put the address that people open into {setting} and start `{self._service.command}` again.\n"
        )


def _as_origin(host: str, *, like: str) -> Address | None:
    """Return the origin of a page under this host; its scheme is another origin's, as a proxy may have ended TLS."""
    return Address.of_origin(f"{like.partition('://')[0]}://{host}")


def _is_part_of_another_page(headers: Headers) -> bool:
    """Return whether a page of another origin asks for a part of itself: a picture, a script, a frame, data.

    It may link here: then a window of its own opens. Browsers say so of addresses by https or on this machine alone;
    elsewhere what stands in `headers` keeps the answer from such a page.
    """
    sites = headers.getlist("sec-fetch-site")
    if all(site.strip().lower() in _OURS for site in sites):
        return False
    is_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest", "") in _PAGES
    return not is_page


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    sentence: str,
    *,
    status: int = 403,
    headers: dict[str, str] | None = None,
) -> None:
    """Answer with a sentence, or close a websocket before it is open; a body under way is not read."""
    if scope["type"] == "websocket":
        await receive()  # the request to open it
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        return
    said = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {}), **closing(scope)}
    await PlainTextResponse(sentence, status_code=status, headers=said)(scope, receive, send)


def closing(scope: Scope) -> dict[str, str]:
    """Return the header that ends a connection over which a body is still to come, empty if there is none."""
    headers = Headers(scope=scope)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return {"Connection": "close"} if has_body else {}
