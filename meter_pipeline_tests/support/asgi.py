"""One request to an ASGI application, without a server: what it is asked, from where, and what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

HERE = "127.0.0.1:8501"


@dataclass
class Answer:
    """What came back; of a websocket, whether it was accepted and what it was closed with."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_accepted: bool = False
    closed_with: int | None = None

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: ASGIApp,
    url: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str = "192.168.1.20",
    kind: str = "http",
) -> Answer:
    """Send one request, or open a websocket (`kind="websocket"`), and return the answer."""
    parts, answer = urlsplit(url), Answer()
    path = parts.path or "/"
    sent = {"host": HERE} | {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
        "client": (client, 50_000),
        "server": ("127.0.0.1", 8501),
        "subprotocols": [],
        "state": {},
    }
    waiting = [{"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        if kind == "http":
            await asyncio.Event().wait()  # the visitor stays for the answer
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None:
        match message["type"]:
            case "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            case "http.response.body":
                answer.body += message.get("body", b"")
            case "websocket.accept":
                answer.is_accepted = True
            case "websocket.close":
                answer.closed_with = message.get("code", 1000)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return answer
