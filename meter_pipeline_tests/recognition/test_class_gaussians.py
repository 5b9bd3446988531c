"""Gaussians of classes: near what they were fitted to, far from another design, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from meter_pipeline.recognition.class_gaussians import ClassGaussians
from meter_pipeline.recognition.embeddings import normalised

WIDTH = 60


def photos(seed: int, offset: np.ndarray | float = 0.0, each: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that vary widely along one direction, which says nothing of the class."""
    random, labels = np.random.default_rng(seed), np.repeat([0, 1, 2], each)
    points = 0.05 * random.normal(size=(len(labels), WIDTH)) + np.eye(WIDTH)[labels] + offset
    points[:, 10] += random.normal(size=len(labels))
    return normalised(points), labels


def test_a_direction_that_varies_within_classes_counts_little_and_another_much() -> None:
    gaussians = ClassGaussians.fit(*photos(0))
    usual = gaussians.relative_distance(photos(1)[0])
    elsewhere = gaussians.relative_distance(photos(2, 0.5 * np.eye(WIDTH)[20])[0])
    along = gaussians.relative_distance(photos(3, 0.5 * np.eye(WIDTH)[10])[0])
    assert np.median(elsewhere) > np.quantile(usual, 0.95)
    assert np.median(along) < np.quantile(usual, 0.95)


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**16))
def test_few_photos_and_copies_of_one_give_finite_distances(count: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = normalised(random.normal(size=(count, 8)))
    points[::2] = points[0]
    distances = ClassGaussians.fit(points, np.arange(count) % classes).relative_distance(points)
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("count", [20, 90])
def test_directions_that_never_vary_say_nothing_with_few_photos_and_with_many(count: int) -> None:
    points, labels = photos(0, each=count // 3)
    points[:, 30:] = 0.0
    gaussians = ClassGaussians.fit(points[:, :40], labels)
    moved = points[:, :40].copy()
    moved[:, 35] += 0.3
    assert gaussians.relative_distance(moved) == pytest.approx(gaussians.relative_distance(points[:, :40]))


def test_copies_of_one_photo_alone_give_finite_distances() -> None:
    points = np.tile(normalised(np.ones((1, 8))), (5, 1))
    assert np.isfinite(ClassGaussians.fit(points, np.zeros(5, np.int64)).relative_distance(points)).all()


def test_the_same_bits_with_any_number_of_threads_and_nothing_for_no_photos() -> None:
    asked = photos(1)[0]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(ClassGaussians.fit(*photos(0)).relative_distance(asked).tobytes())
    assert found[0] == found[1]
    assert ClassGaussians.fit(*photos(0)).relative_distance(asked[:0]).shape == (0,)


def test_a_photo_alone_has_the_distance_it_has_among_others() -> None:
    gaussians, asked = ClassGaussians.fit(*photos(0)), photos(1)[0]
    alone = np.concatenate([gaussians.relative_distance(asked[i : i + 1]) for i in range(len(asked))])
    assert alone == pytest.approx(gaussians.relative_distance(asked), rel=1e-9)


def test_the_discriminant_is_half_the_difference_of_squared_distances() -> None:
    gaussians = ClassGaussians.fit(*photos(0))
    weights, bias = gaussians.discriminant()
    asked = photos(1)[0][:5].astype(np.float64)
    log_odds = asked @ weights.T + bias
    differences = (asked - gaussians.centre) @ gaussians.components.T - gaussians.class_means[:, None]
    distances = np.einsum("cpi,ij,cpj->pc", differences, np.linalg.inv(gaussians.within), differences)
    assert log_odds == pytest.approx((distances.mean(axis=1, keepdims=True) - distances) / 2)
    assert weights.sum(axis=0) == pytest.approx(np.zeros(WIDTH), abs=1e-9)
