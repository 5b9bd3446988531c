"""The outcomes of fetching a URL: one word per URL, for tables, and which are worth another attempt."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus


class Outcome(StrEnum):
    """The outcome of fetching a URL; `PhotoError.outcome` adds words for bytes that came but are not a photo."""

    OK = "ok"
    NOT_MODIFIED = "not_modified"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    HTTP_ERROR = "http_error"
    BAD_REDIRECT = "bad_redirect"
    BAD_URL = "bad_url"
    BLOCKED = "blocked"
    HOST_DOWN = "host_down"
    CONNECTION_ERROR = "connection_error"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"


RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(505, 600)} - {505, 511})
"""408 Request Timeout, 425 Too Early, 429 Too Many Requests and the server errors that may pass."""

_BY_STATUS = {
    400: Outcome.HTTP_ERROR,
    401: Outcome.FORBIDDEN,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    407: Outcome.FORBIDDEN,
    408: Outcome.TIMEOUT,
    410: Outcome.NOT_FOUND,
    429: Outcome.RATE_LIMITED,
    451: Outcome.FORBIDDEN,
}


def outcome_of_status(status: int) -> Outcome:
    """Return the outcome of an HTTP status that is not 200."""
    return _BY_STATUS.get(status, Outcome.HTTP_ERROR)


def status_text(status: int) -> str:
    """Return a status as people know it: `404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
