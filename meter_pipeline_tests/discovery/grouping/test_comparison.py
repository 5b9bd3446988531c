"""What photos are compared by: what varies within classes counts little, print counts where it was read."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.discovery.grouping.comparison import compared
from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.embeddings import Embeddings, normalised
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.recognition.scores import Known

LIGHT = 0
"""The direction along which photos of one class vary."""


def known_classes() -> Known:
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(5), 10)
    points = random.normal(size=(5, 20))[labels] + 0.05 * random.normal(size=(50, 20))
    points[:, LIGHT] += 3 * random.normal(size=50)
    unit = normalised(points)
    nothing = np.zeros((50, 1), np.float32)
    embeddings = Embeddings(tuned=unit, pretrained=unit, colours=nothing, printed=nothing_read(50))
    return Known(labels=labels, groups=np.arange(50), embeddings=embeddings)


def test_what_varies_within_known_classes_does_not_set_strangers_apart() -> None:
    random = np.random.default_rng(2)
    one, other = random.normal(size=(2, 20))
    photos = np.stack([one, one, other, other])
    photos[:, LIGHT] = [-6, 6, -6, 6]
    plain = normalised(photos) @ normalised(photos).T
    look = compared(photos, photos, known_classes(), nothing_read(4))
    similarity = look @ look.T
    assert plain[0, 2] > plain[0, 1]
    assert similarity[0, 1] > similarity[0, 2]
    assert similarity[2, 3] > similarity[1, 3]


def test_print_sets_photos_apart_that_look_alike() -> None:
    photos = np.ones((4, 8)) + 0.01 * np.random.default_rng(0).normal(size=(4, 8))
    printed = nothing_read(4)
    printed[:2, :3], printed[2:, :3] = [5, 6, 7], [8, 9, 10]
    look = compared(photos, photos, None, printed)
    assert np.allclose(np.linalg.norm(look, axis=1), 1.0, atol=1e-5)
    similarity = look @ look.T
    assert similarity[0, 1] > 0.99
    assert similarity[0, 2] < 0.9
    without = compared(photos, photos, None, nothing_read(4))
    assert (without @ without.T).min() > 0.99


def test_a_code_that_one_photo_alone_shows_says_nothing() -> None:
    photos = np.eye(3, 8) + 1
    printed = nothing_read(3)
    printed[0, 0] = 12
    assert (
        compared(photos, photos, None, printed).tobytes() == compared(photos, photos, None, nothing_read(3)).tobytes()
    )


def test_no_photos_and_no_known_photos() -> None:
    assert len(compared(np.zeros((0, 8)), np.zeros((0, 8)), None, nothing_read(0))) == 0
    photos = np.random.default_rng(0).normal(size=(3, 8))
    assert compared(photos, photos, None, nothing_read(3)).shape == (3, 16)


def test_a_broken_embedding_is_named() -> None:
    photos = np.random.default_rng(0).normal(size=(5, 8))
    photos[3, 1] = np.nan
    with pytest.raises(MeterError, match="1 of 5 embeddings hold NaN"):
        compared(photos, photos, None, nothing_read(5))
