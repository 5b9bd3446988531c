"""Augmented photos: the same for the same photo, sample and seed, of the same size, and never mirrored."""

from __future__ import annotations

import numpy as np
from PIL import Image

from meter_pipeline.training.augmentation import WORKING_SIDE, at_working_size, augmented
from meter_pipeline_tests.support.patterns import draw


def test_photo_sample_and_seed_decide_every_choice() -> None:
    image = draw("BLUE_A", 1)
    first = augmented(image, "a", 0, 0)
    assert first.size == image.size
    assert augmented(image, "a", 0, 0).tobytes() == first.tobytes()
    others = [augmented(image, *choice).tobytes() for choice in (("b", 0, 0), ("a", 1, 0), ("a", 0, 1))]
    assert len({first.tobytes(), *others}) == 4


def test_what_was_on_the_left_stays_on_the_left() -> None:
    pixels = np.zeros((240, 180, 3), np.uint8)
    pixels[:, :90, 0] = 200
    image = Image.fromarray(pixels)
    for sample in range(40):
        red = np.asarray(augmented(image, "a", sample, 0), float)[60:-60, :, 0]
        assert red[:, 30:60].mean() > red[:, 120:150].mean() + 50


def test_only_large_photos_are_made_smaller_and_keep_their_shape() -> None:
    small, large = Image.new("RGB", (300, 390)), Image.new("RGB", (1200, 1600))
    assert at_working_size(small) is small
    assert at_working_size(large).size == (WORKING_SIDE, round(WORKING_SIDE * 4 / 3))
