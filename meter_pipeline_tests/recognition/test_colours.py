"""Colours: shares of an area, the light's tint taken out, and a plate's colour kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from meter_pipeline.recognition.colours import CHROMA_EDGES, COLOURS, HUES, colour_shares, photo_colours
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.scores import familiar_colours

WHITE, BLUE, GREY = (225, 225, 220), (60, 110, 200), (128, 128, 128)


def meter(plate: tuple[int, int, int], light: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Image.Image:
    pixels = np.full((224, 224, 3), GREY, np.float32)
    pixels[60:140, 40:180] = plate
    return Image.fromarray((pixels * light).clip(0, 255).astype(np.uint8))


@given(st.integers(0, 2**32 - 1))
def test_shares_add_up_to_one_for_any_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (random.integers(1, 5), random.integers(1, 5), 3), np.uint8)
    shares = colour_shares(Image.fromarray(colours).resize((100, 80), Image.Resampling.NEAREST))
    assert shares.shape == (COLOURS,) == (1 + HUES * len(CHROMA_EDGES),)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_a_blue_plate_differs_from_a_white_one_more_than_a_lamp_from_the_sun() -> None:
    white, lamp, blue = (colour_shares(m) for m in (meter(WHITE), meter(WHITE, (1.0, 0.9, 0.7)), meter(BLUE)))
    assert np.abs(white - lamp).sum() < 0.1
    assert np.abs(white - blue).sum() > 0.4


def test_black_and_grey_photos_are_grey() -> None:
    for level in (0, 128, 255):
        assert colour_shares(Image.new("RGB", (224, 224), (level,) * 3))[0] == 1


def test_it_looks_at_the_middle() -> None:
    wide = Image.new("RGB", (896, 224), GREY)
    wide.paste(meter(BLUE), (336, 0))
    preprocess = Preprocess((0.5,) * 3, (0.5,) * 3)
    assert np.abs(photo_colours(preprocess, wide) - colour_shares(meter(BLUE))).sum() < 0.01


def test_only_what_goes_beyond_the_class_counts() -> None:
    known = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0]])
    asked = np.array([[0.7, 0.3, 0.0], [0.6, 0.1, 0.3], [0.6, 0.1, 0.3]])
    scores = familiar_colours(asked, np.array([0, 0, 1]), known, np.array([0, 0]))
    assert scores == pytest.approx([0.0, -0.3, -1.0])
