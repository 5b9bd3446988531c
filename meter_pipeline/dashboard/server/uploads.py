"""How much a visitor may upload: what is too much is refused before it is read.

Streamlit keeps an uploaded file in memory while the page that took it is open, and limits each file alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from meter_pipeline.dashboard.server.hosts import refuse
from meter_pipeline.dashboard.server.login import VISITOR

MB = 1024 * 1024
LARGEST_UPLOAD_MB = 200
"""Limit for a results table; a photo may be as large as `METER_DOWNLOAD_MAX_BYTES`."""
FORM_BYTES = MB
"""What a form may have around its file."""
MOST_OF_A_VISITOR = 250 * MB
MOST_OF_ALL = 500 * MB
"""Bytes of files that pages hold at a time: of one visitor, and of all together."""

Key = tuple[str, str]
"""Of a file: its session and its id, the last two parts of the path that it is sent to."""


@dataclass(frozen=True)
class _Upload:
    visitor: str
    size: int


class Uploads:
    """ASGI middleware that refuses what is too large, by the size that is announced.

    Args:
        app: what is protected.
        kept: gives the files that open pages hold.
    """

    def __init__(self, app: ASGIApp, *, kept: Callable[[], Collection[Key]]) -> None:
        self._app, self._kept = app, kept
        self._known: dict[Key, _Upload] = {}
        self._under_way: dict[object, _Upload] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be taken. Streamlit takes files by PUT, and nothing else here does."""
        if scope["type"] != "http" or scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        size = _announced(Headers(scope=scope))
        if size is None:
            await refuse(scope, receive, send, "An upload has to say how long it is.\n", status=411)
            return
        upload, mark = _Upload(_visitor(scope), size), object()
        problem = self._problem(upload, mark)
        if problem:
            await refuse(scope, receive, send, problem, status=413)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            with self._lock:
                del self._under_way[mark]
                self._known[_key(scope)] = upload

    def _problem(self, upload: _Upload, mark: object) -> str:
        """Return why an upload is refused; if it is not, count it from now on."""
        if upload.size > LARGEST_UPLOAD_MB * MB + FORM_BYTES:
            return f"A file may have {LARGEST_UPLOAD_MB} MB at most.\n"
        with self._lock:
            kept = set(self._kept())
            self._known = {key: known for key, known in self._known.items() if key in kept}
            held = [*self._known.values(), *self._under_way.values()]
            of_visitor = sum(each.size for each in held if each.visitor == upload.visitor)
            if of_visitor + upload.size > MOST_OF_A_VISITOR:
                return (
                    f"You have uploaded {of_visitor // MB} MB that open pages still hold; {MOST_OF_A_VISITOR // MB} MB"
                    " are the most. Remove a file, or close the page and wait some minutes.\n"
                )
            if sum(each.size for each in held) + upload.size > MOST_OF_ALL:
                return "Others are uploading a lot at the moment. Try again in some minutes.\n"
            self._under_way[mark] = upload
        return ""


def _announced(headers: Headers) -> int | None:
    """Return the length of the body; None if it is not said, or not by one number alone."""
    lengths = headers.getlist("content-length")
    is_said = len(lengths) == 1 and lengths[0].isascii() and lengths[0].isdecimal()
    return int(lengths[0]) if is_said and "transfer-encoding" not in headers else None


def _visitor(scope: Scope) -> str:
    """Return who asks: by the login, or, where there is no password, by the address."""
    return str(scope.get(VISITOR) or (scope.get("client") or ("",))[0])


def _key(scope: Scope) -> Key:
    session, _, file = scope["path"].rpartition("/")
    return session.rpartition("/")[2], file
