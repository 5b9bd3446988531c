"""A request carries the secret of this server process, or is refused."""

from __future__ import annotations

from starlette.requests import Request

from meter_pipeline.dashboard.server.token import require_token, session_token


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
