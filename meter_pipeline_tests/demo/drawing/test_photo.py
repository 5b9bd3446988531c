"""Drawn photos: the catalogue is stable and without twins by accident; a shot always gives the same, plausible JPEG."""

import io
from collections import Counter
from dataclasses import replace

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from meter_pipeline.demo.drawing.designs import KNOWN_COUNT, UNSEEN_COUNT, catalogue, known_designs, unseen_designs
from meter_pipeline.demo.drawing.photo import PHOTO_BYTES, PHOTO_SIZE, Shot, draw_photo


def picture(content: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")


@pytest.fixture(scope="module")
def meter_shot() -> Shot:
    return Shot(known_designs()[0], "meter 1", "monday")


@pytest.fixture(scope="module")
def meter_photo(meter_shot: Shot) -> bytes:
    return draw_photo(meter_shot)


def test_the_catalogue_has_38_known_and_8_unseen_designs_with_names_like_real_classes() -> None:
    names = [design.name for design in catalogue()]
    assert (len(known_designs()), len(unseen_designs())) == (KNOWN_COUNT, UNSEEN_COUNT) == (38, 8)
    assert len(set(names)) == len(names)
    assert all(name.isupper() and name.count("_") == 2 for name in names)


def test_the_catalogue_is_the_same_in_every_version() -> None:
    """Labelled photos of an earlier demo would otherwise be of other designs than their folder says."""
    assert [design.name for design in known_designs()[:5]] == [
        "TALMETRA_GREY_A",
        "DELTUMA_GREY_A",
        "CASTRELL_GREY_A",
        "LUMARQ_NAVY_A",
        "ZEPHRAN_SKY_A",
    ]


def test_some_designs_share_a_housing_and_differ_in_print_and_one_unseen_is_such_a_twin() -> None:
    housings = Counter((design.housing_colour, design.aspect, design.plate) for design in catalogue())
    assert sorted(housings.values(), reverse=True)[:7] == [2, 2, 2, 2, 2, 2, 1]
    known = {(design.housing_colour, design.aspect) for design in known_designs()}
    assert sum((design.housing_colour, design.aspect) in known for design in unseen_designs()) == 1


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


def test_junk_comes_in_many_kinds() -> None:
    hashes = {str(imagehash.phash(picture(draw_photo(Shot(None, f"junk {n}", "view"))))) for n in range(8)}
    assert len(hashes) == 8
