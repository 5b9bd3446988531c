"""The dashboard under a path of a proxy's: what is behind this knows nothing of it, and asks `base_of` for links.

Streamlit's page finds out in the browser where its server is. Our own pages have to be told.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

BASE_HEADER = "x-meter-base"
"""Put on each request for those behind; one that a visitor sent is taken off."""


def base_of(scope: Scope) -> str:
    """Return what stands before the paths of links, such as `/meters`; empty at the root."""
    return Headers(scope=scope).get(BASE_HEADER, "")


class SubPath:
    """ASGI middleware that takes the proxy's path off requests.

    Args:
        app: what answers at the root.
        paths: the paths, such as `/meters`; a proxy passes them on as they are.
    """

    def __init__(self, app: ASGIApp, *, paths: Iterable[str]) -> None:
        self._app = app
        self._paths = sorted({*paths} - {""}, key=len, reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as if it had been for the root."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != BASE_HEADER.encode()]
        path, base = scope["path"], ""
        for each in self._paths:
            if path == each and scope["type"] == "http":
                await RedirectResponse(f"{each}/")(scope, receive, send)
                return
            if path.startswith(f"{each}/"):
                path, base = path.removeprefix(each), each
                break
        if base:
            headers.append((BASE_HEADER.encode(), base.encode()))
            scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        await self._app({**scope, "headers": headers}, receive, send)
