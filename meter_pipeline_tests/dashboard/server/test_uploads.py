"""Uploads: refused before they are read if they are too large, each or together."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from meter_pipeline.dashboard.server.login import VISITOR
from meter_pipeline.dashboard.server.uploads import MB, Key, Uploads
from meter_pipeline_tests.support.asgi import Answer, ask

PATH = "/_stcore/upload_file/session/{}"


class Streamlit:
    """Keeps uploaded files as Streamlit does, and knows whether it was asked at all."""

    def __init__(self) -> None:
        self.files: set[Key] = set()
        self.asked = 0
        self.app = Uploads(self, kept=lambda: self.files)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        if scope["method"] == "PUT":
            self.files.add(("session", scope["path"].rpartition("/")[2]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def put(
        self, name: str, size: int | None, *, visitor: str = "anna", headers: dict[str, str] | None = None
    ) -> Answer:
        said = {} if size is None else {"content-length": str(size)}

        async def of_visitor(scope: Scope, receive: Receive, send: Send) -> None:
            async def never() -> Any:
                raise AssertionError("a refused body was read")

            await self.app({**scope, VISITOR: visitor}, never, send)

        return ask(of_visitor, PATH.format(name), method="PUT", headers=said | (headers or {}))


@pytest.fixture
def streamlit() -> Streamlit:
    return Streamlit()


def test_a_visitor_has_a_limit_and_gets_it_back(streamlit: Streamlit) -> None:
    assert [streamlit.put(str(number), 100 * MB).status for number in range(4)] == [204, 204, 413, 413]
    refused = streamlit.put("again", 100 * MB)
    assert "200 MB that open pages still hold" in refused.text
    assert refused.headers["connection"] == "close", "what is still to come is not read"
    assert streamlit.asked == 2
    assert streamlit.put("of another", 100 * MB, visitor="ben").status == 204
    streamlit.files.remove(("session", "0"))  # the page was closed
    assert streamlit.put("3", 100 * MB).status == 204
    assert streamlit.put("3", 100 * MB).status == 413


def test_all_together_have_a_limit(streamlit: Streamlit) -> None:
    answers = [streamlit.put(f"{number}", 190 * MB, visitor=f"{number}").status for number in range(4)]
    assert answers == [204, 204, 413, 413]


@pytest.mark.parametrize(
    ("size", "headers", "status"),
    [
        (201 * MB, {}, 204),
        (201 * MB + 1, {}, 413),
        (10**30, {}, 413),
        (None, {}, 411),
        (None, {"transfer-encoding": "chunked"}, 411),
        (5, {"transfer-encoding": "chunked"}, 411),
        (None, {"content-length": "-1"}, 411),
        (None, {"content-length": "1e9"}, 411),
    ],
)
def test_the_size_is_said_before_and_has_a_limit(
    streamlit: Streamlit, size: int | None, headers: dict[str, str], status: int
) -> None:
    assert streamlit.put("file", size, headers=headers).status == status
    assert streamlit.asked == (status == 204)


def test_who_only_looks_is_not_counted(streamlit: Streamlit) -> None:
    streamlit.put("file", 200 * MB)
    for method in ("GET", "DELETE", "POST"):
        assert ask(streamlit.app, PATH.format("file"), method=method).status == 204
