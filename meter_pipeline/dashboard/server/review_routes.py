"""What the review page asks and says, as JSON: one route for each question to the desk, every one behind the token."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from meter_pipeline.dashboard.server.token import require_token
from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.review.decisions import is_image_id
from meter_pipeline.review.page.desk import ReviewDesk
from meter_pipeline.review.page.wishes import Wish

LARGEST_BODY_BYTES = 16_000_000
"""A decision of 100,000 photos takes 7 MB."""
MOST_LOOK_ALIKES = 500

Answer = Callable[[Request, Any], object]


def review_routes(desk: ReviewDesk) -> list[Route]:
    """Return the routes of the review page.

    Args:
        desk: where people review.
    """

    def decisions(request: Request, body: Any) -> object:  # noqa: ARG001
        wishes = [Wish.parsed(each) for each in body.get("decisions", [])]
        taken, refused = desk.take(wishes, by=str(body.get("by") or ""), replace=bool(body.get("replace")))
        return {"done": taken, "refused": [asdict(each) for each in refused], "fingerprint": desk.fingerprint()}

    def grow(request: Request, body: Any) -> object:  # noqa: ARG001
        return desk.look_alikes(
            _image_ids(body),
            max(0, int(body.get("offset", 0))),
            min(MOST_LOOK_ALIKES, max(1, int(body.get("size", 40)))),
        )

    asked: dict[str, Answer] = {
        "overview": lambda *_: desk.overview(),
        "fingerprint": lambda *_: {"fingerprint": desk.fingerprint()},
        "group/{cluster_id:int}": lambda request, _: desk.group(request.path_params["cluster_id"]),
        "noise": lambda *_: desk.group(-1),
        "nearest/{image_id}": lambda request, _: {"photos": desk.nearest(request.path_params["image_id"])},
        "history": lambda request, _: {"decisions": desk.history(_limit(request))},
        "near-names": lambda request, _: desk.near_names(request.query_params.get("name", "")[:500]),
    }
    said: dict[str, Answer] = {
        "decisions": decisions,
        "grow": grow,
        "split": lambda _, body: {"parts": desk.parts(_image_ids(body))},
        "undo": lambda _, body: desk.take_back(str(body["decision_id"]), by=str(body.get("by") or "")),
    }
    return [
        *(Route(f"/review/{path}", _answering(answer), methods=["GET"]) for path, answer in asked.items()),
        *(Route(f"/review/{path}", _answering(answer), methods=["POST"]) for path, answer in said.items()),
    ]


def _answering(answer: Answer) -> Callable[[Request], Any]:
    """Return an endpoint that lets in who has the token, and tells what went wrong as a sentence."""

    async def endpoint(request: Request) -> Response:
        if (refusal := require_token(request)) is not None:
            return refusal
        try:
            body = await _body(request) if request.method == "POST" else None
            return JSONResponse(await run_in_threadpool(answer, request, body))
        except StorageError as error:
            return _error(error, 507)
        except MeterError as error:
            return _error(error, 409)
        except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
            return JSONResponse({"error": "This cannot be understood. Reload the page."}, 400)

    return endpoint


async def _body(request: Request) -> Any:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY_BYTES:
            raise MeterError("This is too much at once.", fix="Decide on fewer photos at a time.")
    return json.loads(body)


def _error(error: MeterError, status: int) -> JSONResponse:
    return JSONResponse({"error": f"{error.what} {error.fix}".strip()}, status)


def _image_ids(body: Any) -> list[str]:
    image_ids = [str(each) for each in body["image_ids"]]
    if not all(map(is_image_id, image_ids)):
        raise ValueError("an id of a photo has 64 hex digits")
    return image_ids


def _limit(request: Request) -> int:
    return min(1000, max(1, int(request.query_params.get("limit", "200"))))
