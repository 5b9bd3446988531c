"""The secret that a page hands to its own requests: another site in the same browser can send them, but not know it."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse

TOKEN_HEADER = "X-Meter-Token"
TOKEN_PARAMETER = "t"
"""Of an address, where no header can be sent: pictures."""

_TOKEN = secrets.token_urlsafe(32)


def session_token() -> str:
    """Return the secret of this server process; a new start has another one."""
    return _TOKEN


def require_token(request: Request) -> JSONResponse | None:
    """Return the refusal of a request that does not carry the secret; None if it does."""
    given = request.headers.get(TOKEN_HEADER) or request.query_params.get(TOKEN_PARAMETER) or ""
    if hmac.compare_digest(given.encode(), _TOKEN.encode()):
        return None
    problem = "The dashboard was started again; this page is being let in anew. If that takes long, reload the page."
    return JSONResponse({"error": problem}, status_code=403, headers={"Cache-Control": "no-store"})
