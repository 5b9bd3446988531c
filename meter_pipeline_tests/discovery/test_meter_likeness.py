"""Meters told from junk: designs never seen pass, and too few labelled photos teach nothing."""

from __future__ import annotations

import numpy as np

from meter_pipeline.discovery.meter_likeness import LARGEST_REFERENCE, learn_meters
from meter_pipeline.recognition.embeddings import normalised

DIMENSIONS = 64


def designs(count: int, photos: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return photos of designs that have something in common (they are meters), and the design of each."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), photos)
    centres = 3 * np.eye(DIMENSIONS)[0] + 0.25 * random.normal(size=(count, DIMENSIONS))
    return normalised(centres[labels] + 0.1 * random.normal(size=(len(labels), DIMENSIONS))), labels


def test_designs_never_seen_pass_and_junk_does_not() -> None:
    meters = learn_meters(*designs(6, 20, seed=0))
    assert meters is not None
    unseen, _ = designs(5, 10, seed=1)
    junk = normalised(np.random.default_rng(2).normal(size=(50, DIMENSIONS)))
    assert meters.looks_like_a_meter(unseen).mean() > 0.9
    assert not meters.looks_like_a_meter(junk).any()
    assert meters.looks_like_a_meter(np.zeros((0, DIMENSIONS))).tolist() == []


def test_one_class_or_few_photos_teach_nothing() -> None:
    unit, labels = designs(6, 20, seed=0)
    assert learn_meters(unit, np.zeros_like(labels)) is None
    assert learn_meters(unit[:12], labels[:12]) is None


def test_a_large_data_set_is_thinned_out_evenly() -> None:
    unit, labels = designs(3, LARGEST_REFERENCE, seed=0)
    meters = learn_meters(unit, labels)
    assert meters is not None
    assert len(meters.reference) == LARGEST_REFERENCE
    assert meters.looks_like_a_meter(unit[:: LARGEST_REFERENCE // 10]).all()


def test_a_second_class_of_one_photo_is_enough_to_compare_with() -> None:
    unit, labels = designs(2, 20, seed=0)
    meters = learn_meters(unit[:21], labels[:21])
    assert meters is not None
    assert np.isfinite(meters.threshold)
