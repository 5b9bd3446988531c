"""Dagster's web server, without what a page of another site could use: orders by GET, and by forms.

Whether a request comes from a page of ours at all is asked before (`dashboard.server.hosts`); this holds where a
browser does not say where it comes from.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

POLL_MS = 2000
"""How often the UI asks for live data, as with `dagster dev`."""
_ORDERS = ("application/json", "application/graphql")
"""Content types that a browser sends to another origin only after asking whether it may, which is never granted."""


class GuardedWebserver(DagsterWebserver):
    """Dagster's web server, which takes GraphQL by POST as JSON alone."""

    def build_graphql_schema(self) -> Any:
        """Return the one schema of this process, also for several paths."""
        return _schema()

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """Answer a question or an order; show GraphiQL to whoever opens the address."""
        if request.method == "POST":
            if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _ORDERS:
                return _no(415, "Send the query as JSON: Content-Type: application/json.")
        else:
            if "text/html" not in request.headers.get("Accept", ""):
                return _no(405, "GraphQL is answered by POST alone, as a link or a picture could send a GET.")
            # The page GraphiQL; what the address asks is for the page to read, never for the server to do.
            request = Request({**request.scope, "query_string": b""}, request.receive)
        return await super().graphql_http_endpoint(request)


@functools.cache
def _schema() -> Any:
    from dagster_graphql.schema import create_schema

    return create_schema()


def _no(status: int, sentence: str) -> PlainTextResponse:
    return PlainTextResponse(f"{sentence}\n", status, headers={"Cache-Control": "no-store"})


class UnderPaths:
    """ASGI application that serves the UI at the root, and under each path that a proxy has it at.

    Args:
        context: the instance and the code.
        paths: the paths, such as `/dagster`; a proxy passes them on as they are.
    """

    def __init__(self, context: IWorkspaceProcessContext, paths: Sequence[str]) -> None:
        def ui(path: str) -> ASGIApp:
            return GuardedWebserver(context, path, POLL_MS).create_asgi_app()

        self._root = ui("")
        self._under = {path: ui(path) for path in sorted({*paths} - {""}, key=len, reverse=True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the UI of its path."""
        if scope["type"] not in ("http", "websocket"):
            await self._root(scope, receive, send)
            return
        for path, ui in self._under.items():
            if scope["path"] == path and scope["type"] == "http":
                await RedirectResponse(f"{path}/")(scope, receive, send)
                return
            if scope["path"].startswith(f"{path}/"):
                await ui(scope, receive, send)
                return
        await self._root(scope, receive, send)
