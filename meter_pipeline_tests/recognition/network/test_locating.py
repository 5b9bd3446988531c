"""Where the meter is: found on drawn photos by the real trunk, and nowhere where nothing stands out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.locating import fit_direction, locate, square_around
from meter_pipeline.recognition.network.preprocess import LOCATED, Preprocess
from meter_pipeline_tests.support.wall_plates import plate_on_a_wall, whole_map

SHARE = st.floats(0, 1, allow_nan=False)


def test_the_plate_is_found_wherever_it_is(backbone: Backbone, preprocess: Preprocess) -> None:
    off, inside = [], 0
    for seed in range(100, 112):
        image, (x, y) = plate_on_a_wall(seed)
        place = preprocess.place(whole_map(backbone, preprocess, image)[0])
        assert place is not None
        off.append(np.hypot(place[0] * image.width - x, place[1] * image.height - y))
        left, top, right, bottom = square_around(place, image.size, LOCATED["meter"].reach, LOCATED["meter"].smallest)
        inside += left < x < right and top < y < bottom
    assert inside == 12
    assert np.median(off) < 40  # of a plate of 160 x 140


@given(x=SHARE, y=SHARE, wide=SHARE, high=SHARE, size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_a_square_lies_within_the_photo(x: float, y: float, wide: float, high: float, size: tuple[int, int]) -> None:
    for view in LOCATED.values():
        left, top, right, bottom = square_around((x, y, wide, high), size, view.reach, view.smallest)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        assert right - left == pytest.approx(bottom - top)


def test_maps_without_places_or_without_differences_have_no_direction(preprocess: Preprocess) -> None:
    assert fit_direction(np.zeros((4, 192), np.float16)) == ()  # a backbone whose outputs are pooled
    random = np.random.default_rng(0).normal(size=(4, 14, 14, 384))
    assert fit_direction(random) == ()  # channels last
    assert len(fit_direction(random.transpose(0, 3, 1, 2))) == 384
    assert fit_direction(np.ones((4, 8, 7, 7), np.float16)) == ()
    assert fit_direction(np.full((4, 8, 7, 7), np.nan)) == ()
    assert fit_direction(np.zeros((0, 8, 7, 7))) == ()
    assert locate(np.ones((len(preprocess.direction), 7, 7)), preprocess.direction) is None
