"""Which photos need no closer views: sure of the class, and well above what is called sure; or too dark to matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meter_pipeline.recognition.early_exit import EarlyExit, is_dark, margins
from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, known_photos, photos, seen

GUARD = Guard((Term("pretrained similarity", 0.0, 1.0),), threshold=0.5, sure_from=0.6, class_sure_from={"B": 0.9})


def test_a_photo_ends_early_if_its_name_and_its_looks_are_sure() -> None:
    known_embeddings, labels = photos(KNOWN_CENTRES[:2], 10, seed=4)
    known = known_photos(labels, tuned=known_embeddings)
    asked, _ = photos(KNOWN_CENTRES[:2], 3, seed=5)
    said = seen(asked, KNOWN_CENTRES[:2])
    scores = GUARD.deviations(said, known).sum(axis=0)
    classes = ["A", "C"]
    lowest = float(scores.min()) - 0.6
    assert EarlyExit(confidence=0.5, margin=lowest - 0.001).is_plain(said, known, GUARD, classes).all()
    assert not EarlyExit(confidence=0.5, margin=lowest + 0.001).is_plain(said, known, GUARD, classes).all()
    assert not EarlyExit(confidence=1.1, margin=-9.0).is_plain(said, known, GUARD, classes).any()


def test_the_margin_counts_from_the_higher_limit_of_the_class() -> None:
    assert margins(np.array([1.0, 1.0]), ["A", "B"], GUARD).tolist() == pytest.approx([0.4, 0.1])
    assert margins(np.array([1.0]), ["A"], replace(GUARD, sure_from=None)).tolist() == [0.5]
    assert margins(np.array([1.0]), ["A"], replace(GUARD, threshold=None, sure_from=None)).tolist() == [-np.inf]


def test_a_card_without_limits_has_no_rule() -> None:
    rule = EarlyExit(confidence=0.9, margin=1.5)
    assert EarlyExit.from_card(rule.as_card() | {"changed": 0.0}) == rule
    assert EarlyExit.from_card({"note": "too few photos"}) is None
    assert EarlyExit.from_card({}) is None


def test_dark_is_what_the_rule_calls_dark_with_room() -> None:
    view = np.full((4, 4, 3), 24, np.uint8)
    assert is_dark(view)
    assert not is_dark(view + 2)
