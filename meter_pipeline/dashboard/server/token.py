"""The secret that a page hands to its own requests: another site in the same browser can send them, but not know it."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

TOKEN_HEADER = "X-Meter-Token"
TOKEN_PARAMETER = "t"
"""Of an address, where no header can be sent: pictures."""

_TOKEN = secrets.token_urlsafe(32)


def token_route() -> Route:
    """Return the route that hands the secret to a page that is open while the dashboard is started again.

    Streamlit brings the page its new secret too, but only when its own connection is back, for which it waits up to a
    minute. Another site can send this request, and cannot read the answer; a browser also says where it comes from.
    """

    def token(request: Request) -> JSONResponse:
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return JSONResponse({"error": "This is for the dashboard's own pages."}, 403, {"Cache-Control": "no-store"})
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return JSONResponse({"token": _TOKEN}, headers=headers)

    return Route("/review/token", token)


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
