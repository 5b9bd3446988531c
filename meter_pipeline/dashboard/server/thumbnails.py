"""Small pictures of photos by their id, for pages of many: the browser keeps them, and no page carries their bytes."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from meter_pipeline.dashboard.browsing.classes import labelled_files
from meter_pipeline.dashboard.server.token import require_token
from meter_pipeline.errors import MeterError
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.thumbnails import thumbnail
from meter_pipeline.review.decisions import is_image_id
from meter_pipeline.storage.layout import Layout

SIDES = (192, 320, 1024)
"""Pixels of the longer side: in a strip, in a grid, and opened."""
DEFAULT_SIDE = 320
KEPT_S = 86_400
"""The browser keeps a picture for a day; an id is a hash of the photo, so what it shows never changes."""


def thumbnail_route(layout: Layout) -> Route:
    """Return the route `/review/thumbnail/{image_id}?side=...&t=TOKEN` on a data directory."""

    def answer(request: Request) -> Response:  # not async: Starlette runs it in a thread, as a photo may be decoded
        return require_token(request) or _thumbnail(layout, request)

    return Route("/review/thumbnail/{image_id}", answer, methods=["GET"])


def _thumbnail(layout: Layout, request: Request) -> Response:
    image_id = request.path_params["image_id"]
    if not is_image_id(image_id):
        return _problem(400, "This is not the id of a photo: an id has 64 hexadecimal digits.")
    side = request.query_params.get("side", str(DEFAULT_SIDE))
    if side not in map(str, SIDES):
        return _problem(400, f"A picture's side is one of {', '.join(map(str, SIDES))} pixels.")
    try:
        content = thumbnail(layout, image_id, _file(layout, image_id), side=int(side))
    except PhotoError as error:
        return _problem(404, error.reason)
    except MeterError as error:
        return _problem(503, str(error))
    return Response(
        content, media_type="image/jpeg", headers={"Cache-Control": f"private, max-age={KEPT_S}, immutable"}
    )


def _file(layout: Layout, image_id: str) -> Path:
    """Return where a photo's bytes are: among the downloaded ones, or else among the labelled ones."""
    downloaded = layout.image(image_id)
    if downloaded.is_file():
        return downloaded
    labelled = labelled_files(layout, [image_id])
    return labelled[image_id][1] if image_id in labelled else downloaded


def _problem(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status, headers={"Cache-Control": "no-store"})
