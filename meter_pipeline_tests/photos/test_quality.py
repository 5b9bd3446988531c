"""What is measured of a photo means what its name says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from meter_pipeline.photos.quality import GREEN_HUES, GREEN_MIN_SATURATION, GREEN_MIN_VALUE, is_dark, measure


def noisy(side: int = 300) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))


def test_brightness_is_mean_luma_and_decides_what_is_dark() -> None:
    night = measure(Image.new("RGB", (100, 100), (12, 12, 12)))
    day = measure(Image.new("RGB", (100, 100), (130, 130, 130)))
    assert (night.brightness, night.contrast) == (12.0, 0.0)
    assert is_dark(night.brightness, 30.0)
    assert not is_dark(day.brightness, 30.0)


def test_a_blurred_photo_is_less_sharp() -> None:
    image = noisy()
    assert measure(image.filter(ImageFilter.GaussianBlur(2))).sharpness < measure(image).sharpness / 4


def test_glare_and_green_are_shares_of_the_photo() -> None:
    image = Image.new("RGB", (100, 100), (120, 110, 110))
    image.paste((255, 255, 255), (0, 0, 50, 50))
    image.paste((150, 190, 60), (50, 50, 100, 100))  # the yellow-green of a backlit LCD
    quality = measure(image)
    assert quality.glare == 0.25
    assert quality.green_ratio == 0.25


def green_share_of_all_pixels(image: Image.Image) -> float:
    hue, saturation, value = np.moveaxis(np.asarray(image.convert("HSV"), np.float64), 2, 0)
    low, high = (math.ceil(GREEN_HUES[0] * 256 / 360), math.floor(GREEN_HUES[1] * 256 / 360))
    strong = (saturation >= math.ceil(GREEN_MIN_SATURATION * 255)) & (value >= math.ceil(GREEN_MIN_VALUE * 255))
    return float(((hue >= low) & (hue <= high) & strong).mean())


@pytest.mark.parametrize("red", range(0, 256, 15))
def test_green_is_found_wherever_its_hue_says_so(red: int) -> None:
    green, blue = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    image = Image.fromarray(np.stack([np.full_like(green, red), green, blue], axis=2))
    assert measure(image).green_ratio == green_share_of_all_pixels(image)


def test_the_size_of_a_photo_hardly_matters() -> None:
    soft = noisy(64)
    small, large = (measure(soft.resize((side, side), Image.Resampling.BICUBIC)) for side in (768, 3072))
    assert abs(small.brightness - large.brightness) < 1
    assert abs(small.sharpness - large.sharpness) < 0.1 * small.sharpness
