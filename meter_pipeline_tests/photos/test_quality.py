"""What is measured of a photo means what its name says."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from meter_pipeline.photos.quality import is_dark, measure


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


def test_the_size_of_a_photo_hardly_matters() -> None:
    soft = noisy(64)
    small, large = (measure(soft.resize((side, side), Image.Resampling.BICUBIC)) for side in (768, 3072))
    assert abs(small.brightness - large.brightness) < 1
    assert abs(small.sharpness - large.sharpness) < 0.1 * small.sharpness
