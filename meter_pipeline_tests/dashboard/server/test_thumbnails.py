"""Pictures by address: kept by the browser, never without the secret, and a sentence where there is none."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from starlette.applications import Starlette

from meter_pipeline.dashboard.server.thumbnails import SIDES, thumbnail_route
from meter_pipeline.dashboard.server.token import session_token
from meter_pipeline.photos.store import store
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_INVENTORY
from meter_pipeline_tests.support.asgi import Answer, ask
from meter_pipeline_tests.support.patterns import draw, write_raw


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.prepare()
    return layout


@pytest.fixture
def photo(layout: Layout) -> str:
    """The id of a photo that was downloaded."""
    buffer = io.BytesIO()
    draw("BLUE_A", 1, size=(1500, 1000)).save(buffer, format="JPEG")
    return str(store(layout, buffer.getvalue()).columns()["image_id"])


def get(layout: Layout, image_id: str, *, side: str | None = None, token: str | None = None) -> Answer:
    app = Starlette(routes=[thumbnail_route(layout)])
    side_asked = f"&side={side}" if side is not None else ""
    return ask(app, f"/review/thumbnail/{image_id}?t={session_token() if token is None else token}{side_asked}")


def test_a_photo_comes_in_the_size_asked_for_and_is_kept_by_the_browser(layout: Layout, photo: str) -> None:
    for side in SIDES:
        answer = get(layout, photo, side=str(side))
        assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.headers["cache-control"] == "private, max-age=86400, immutable"
        assert max(Image.open(io.BytesIO(answer.body)).size) == side
    assert max(Image.open(io.BytesIO(get(layout, photo).body)).size) == 320


def test_without_the_secret_there_is_no_picture(layout: Layout, photo: str) -> None:
    for token in ("", "guessed"):
        answer = get(layout, photo, token=token)
        assert answer.status == 403
        assert "reload the page" in answer.json()["error"]


def test_a_photo_that_is_gone_or_damaged_is_said_and_not_kept_by_the_browser(layout: Layout, photo: str) -> None:
    get(layout, photo)
    layout.image(photo).unlink()
    answer = get(layout, photo)
    assert (answer.status, answer.headers["cache-control"]) == (404, "no-store")
    assert answer.json() == {"error": "The photo is not on the disk any more."}
    layout.image(photo).write_bytes(b"no photo")
    answer = get(layout, photo)
    assert answer.status == 404
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("image_id", ["a", "A" * 64, "..%2F..%2Fmeter.env", "g" * 64])
def test_what_is_no_id_reads_no_file(layout: Layout, image_id: str) -> None:
    answer = get(layout, image_id)
    assert answer.status in (400, 404)
    assert "image/jpeg" not in answer.headers["content-type"]


@pytest.mark.parametrize("side", ["0", "321", "100000", "x", "", "-192"])
def test_another_size_is_refused(layout: Layout, photo: str, side: str) -> None:
    answer = get(layout, photo, side=side)
    assert answer.status == 400
    assert "192, 320, 1024" in answer.json()["error"]


def test_a_labelled_photo_that_was_never_downloaded_is_shown_too(layout: Layout) -> None:
    write_raw(layout.raw, {"BLUE_A": 1})
    image_id = "b" * 64
    row = {"image_id": image_id, "label": "BLUE_A", "path": "BLUE_A/000.jpg"}
    layout.lake.replace(IMAGE_INVENTORY, pd.DataFrame([row]).reindex(columns=list(IMAGE_INVENTORY.columns)))
    assert get(layout, image_id).status == 200
    assert get(layout, "c" * 64).status == 404
