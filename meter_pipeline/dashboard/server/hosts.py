"""Which addresses the dashboard answers under, and from which pages it takes orders.

A page of another site can make a visitor's browser send requests to this machine. It cannot choose the header `Origin`,
so what changes something has to come from a page of the dashboard. It could choose the header `Host`, by a name of its
own that it lets point to this machine (DNS rebinding): so a name has to be one that is known to be ours.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

POLICY_VIOLATION = 1008
"""What a refused websocket is closed with."""
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SHOWN_LENGTH = 100


def is_every_address(listens_on: str) -> bool:
    """Return whether this stands for all addresses of the machine, such as 0.0.0.0."""
    try:
        return ipaddress.ip_address(listens_on).is_unspecified
    except ValueError:
        return False


@dataclass(frozen=True)
class Address:
    """A host as browsers write it: lower case, no brackets, no trailing dot; and its port, None if it is not given."""

    host: str
    port: int | None

    @classmethod
    def read(cls, text: str) -> Address | None:
        """Read `host[:port]`; None if it is not that and nothing else."""
        try:
            parts = urlsplit(f"//{text}")
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if not host or parts.netloc != text or "@" in text or not text.isascii() or not text.isprintable():
            return None
        return cls(host.rstrip("."), port)

    @classmethod
    def of_url(cls, url: str) -> Address | None:
        """Read `scheme://host[:port]`, an origin, with the usual port if it is left out; None if it is not one."""
        scheme, _, rest = url.partition("://")
        address, usual = cls.read(rest), _PORTS.get(scheme.lower())
        if address is None or usual is None:
            return None
        return cls(address.host, usual if address.port is None else address.port)


class Hosts:
    """ASGI middleware that refuses requests to foreign names and orders from foreign pages.

    Args:
        app: what is protected.
        listens_on: the address that the server was told to listen on.
        public_urls: the addresses under which a proxy in front serves it.
    """

    def __init__(self, app: ASGIApp, *, listens_on: str, public_urls: Iterable[str] = ()) -> None:
        self._app = app
        self._public = {origin for url in public_urls if (origin := Address.of_url(url.rstrip("/"))) is not None}
        self._names = {"localhost", listens_on.lower().rstrip("."), *(origin.host for origin in self._public)}
        if is_every_address(listens_on):
            self._names |= _names_of_this_machine()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for this server, and refuse the rest."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        address = Address.read(hosts[0]) if len(hosts) == 1 else None
        if address is None or not self._is_ours(address.host):
            await _refuse(scope, receive, send, self._foreign_host(", ".join(hosts), scope))
            return
        if origins and (scope["type"] == "websocket" or scope["method"] in _CHANGING):
            scheme, _, asked_from = origins[0].partition("://")
            origin = Address.of_url(origins[0]) if len(origins) == 1 else None
            is_same = origin == Address.of_url(f"{scheme}://{hosts[0]}")
            if origin is None or not (is_same or origin in self._public):
                await _refuse(scope, receive, send, _FOREIGN_PAGE)
                return
            if not is_same:
                # A proxy put its own host in. Streamlit would not know its own page, and would ask a server on the
                # internet for this machine's public address to find out.
                kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
                scope = {**scope, "headers": [*kept, (b"host", asked_from.encode("latin-1"))]}
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        if host in self._names:
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if not address.is_loopback and address not in _addresses_of_this_machine():
            return False
        self._names.add(host)  # a number is no name that somebody could point elsewhere, so it may stay
        return True

    def _foreign_host(self, host: str, scope: Scope) -> str:
        port = (scope.get("server") or ("", None))[1]
        here = "http://127.0.0.1" + (f":{port}" if port else "")
        shown = "".join(letter for letter in host if letter.isascii() and letter.isprintable())[:_SHOWN_LENGTH]
        return (
            f"The dashboard does not answer under the name '{shown}', as it does not know it to be its own. On the "
            f"machine it runs on, open {here}. If people reach it by that name, put the address that they open into "
            "METER_DASHBOARD_URL and start the dashboard again.\n"
        )


_FOREIGN_PAGE = (
    "This came from a page of another address, so the dashboard did nothing. Open the dashboard itself; if it is "
    "behind a proxy, put the address that people open into METER_DASHBOARD_URL and start the dashboard again.\n"
)


def _names_of_this_machine() -> set[str]:
    name = socket.gethostname().lower().rstrip(".")
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"} - {"", ".local"}


def _addresses_of_this_machine() -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses of the network cards at this moment: they change while the server runs."""
    found = set()
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family in (socket.AF_INET, socket.AF_INET6):
                found.add(ipaddress.ip_address(card.address.partition("%")[0]))
    return found


async def _refuse(scope: Scope, receive: Receive, send: Send, sentence: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to open it
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        return
    refusal = PlainTextResponse(
        sentence, status_code=403, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    )
    await refusal(scope, receive, send)
