"""A request carries the secret of this server process, or is refused."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from meter_pipeline.dashboard.server.token import require_token, session_token, token_route


def request(*, header: str | None = None, query: str = "") -> Request:
    headers = [] if header is None else [(b"x-meter-token", header.encode("latin-1"))]
    return Request({"type": "http", "headers": headers, "query_string": query.encode()})


def test_the_secret_is_taken_from_the_header_or_the_address() -> None:
    assert require_token(request(header=session_token())) is None
    assert require_token(request(query=f"side=192&t={session_token()}")) is None


def test_without_the_secret_there_is_a_sentence() -> None:
    for refused in (
        request(),
        request(header="guessed"),
        request(query="t="),
        request(header="é"),
        request(query="t=%E9"),
    ):
        answer = require_token(refused)
        assert answer is not None
        assert answer.status_code == 403
        assert b"reload the page" in bytes(answer.body)


def test_the_secret_is_long_and_stays() -> None:
    assert len(session_token()) >= 40
    assert session_token() == session_token()


def test_a_page_of_ours_that_is_still_open_gets_the_new_secret_and_another_site_does_not() -> None:
    client = TestClient(Starlette(routes=[token_route()]))
    assert client.get("/review/token").json() == {"token": session_token()}
    assert client.get("/review/token", headers={"Sec-Fetch-Site": "same-origin"}).json() == {"token": session_token()}
    for elsewhere in ("cross-site", "same-site", "none"):
        refused = client.get("/review/token", headers={"Sec-Fetch-Site": elsewhere})
        assert refused.status_code == 403
        assert session_token() not in refused.text
