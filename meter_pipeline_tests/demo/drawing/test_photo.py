"""Drawn photos: a shot always gives the same, plausible JPEG."""

import io
from dataclasses import replace

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from meter_pipeline.demo.drawing.designs import catalogue, known_designs
from meter_pipeline.demo.drawing.photo import PHOTO_BYTES, PHOTO_SIZE, Shot, draw_photo
from meter_pipeline_tests.support.pictures import picture


@pytest.fixture(scope="module")
def meter_shot() -> Shot:
    return Shot(known_designs()[0], "meter 1", "monday")


@pytest.fixture(scope="module")
def meter_photo(meter_shot: Shot) -> bytes:
    return draw_photo(meter_shot)


def test_the_same_shot_has_the_same_bytes_whatever_was_drawn_before(meter_shot: Shot, meter_photo: bytes) -> None:
    draw_photo(Shot(known_designs()[20], "another", "view"))
    assert draw_photo(meter_shot) == meter_photo


@pytest.mark.parametrize("place", [1, 11, 17, 20, 23, 37, 40])
def test_photos_are_720_by_1280_and_of_a_phone_photos_size(place: int) -> None:
    content = draw_photo(Shot(catalogue()[place], f"meter {place}", "view"))
    assert picture(content).size == PHOTO_SIZE
    assert PHOTO_BYTES[0] <= len(content) <= PHOTO_BYTES[1] * 1.05


def test_a_burst_is_nearly_the_same_photo_and_another_view_is_not(meter_shot: Shot, meter_photo: bytes) -> None:
    def distance(other: Shot) -> int:
        return imagehash.phash(picture(meter_photo)) - imagehash.phash(picture(draw_photo(other)))

    burst = replace(meter_shot, burst=1)
    assert draw_photo(burst) != meter_photo
    assert distance(burst) <= 8
    assert distance(replace(meter_shot, meter="meter 2", view="tuesday")) > 8


def test_dark_photos_are_darker_than_the_dark_threshold_and_ordinary_ones_are_not(meter_shot: Shot) -> None:
    def luma(shot: Shot) -> float:
        return float(np.asarray(picture(draw_photo(shot)).convert("L")).mean())

    for meter in range(3):
        shot = replace(meter_shot, meter=f"meter {meter}")
        assert luma(replace(shot, condition="dark")) < 28
        assert luma(shot) > 35


def test_blurred_photos_have_lost_their_detail(meter_shot: Shot, meter_photo: bytes) -> None:
    def detail(content: bytes) -> float:
        small = np.asarray(picture(content).convert("L").reduce(4), float)
        return float(np.abs(np.diff(small, axis=1)).mean())

    assert detail(draw_photo(replace(meter_shot, condition="blurred"))) < 0.8 * detail(meter_photo)


@pytest.mark.slow
def test_some_photos_are_stored_turned_and_say_so_in_their_exif() -> None:
    design = known_designs()[0]
    photos = (Image.open(io.BytesIO(draw_photo(Shot(design, f"meter {n}", "view")))) for n in range(80))
    turned = next(photo for photo in photos if photo.getexif().get(0x0112, 1) != 1)
    assert ImageOps.exif_transpose(turned).size == PHOTO_SIZE
