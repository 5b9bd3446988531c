"""The guard as a model has it: what a name has to reach, what print adds, and its place on the card."""

from __future__ import annotations

import json

import numpy as np
import pytest

from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.recognition.plate_reading import codes_of
from meter_pipeline.recognition.scores import FAMILIAR_PRINT
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, guard_scores, known_photos, photos, seen

TERMS = (Term("tuned Mahalanobis", -0.5, 0.25), Term("pretrained similarity", 0.8, 0.1))


def test_a_guard_comes_back_from_its_card() -> None:
    guard = Guard(TERMS, -3.5, -8.0, {"LT2": -2.0}, -1.5, {"LT2": -1.0})
    off = Guard(TERMS, None)
    for each in (guard, off):
        assert Guard.from_card(json.loads(json.dumps(each.as_card())) | {"hidden_caught": 0.9}) == each


def test_a_name_has_to_reach_the_limits_of_its_class_where_that_has_its_own() -> None:
    guard = Guard(TERMS, -3.5, -8.0, {"LT2": -2.0}, -1.5, {"LT2": -1.0})
    assert (guard.flags("LT1", -3.6), guard.flags("LT1", -3.5), guard.flags("LT2", -3.5)) == (True, False, True)
    assert (guard.is_sure("LT1", -1.5), guard.is_sure("LT1", -1.6), guard.is_sure("LT2", -1.5)) == (True, False, False)
    assert not guard.is_sure("LT1", float("nan"))


def test_a_guard_that_is_off_flags_nothing_and_is_sure_of_all() -> None:
    off = Guard(TERMS, None)
    assert not off.flags("LT1", -100.0)
    assert off.is_sure("LT1", -100.0)


def test_no_score_decides_alone_where_the_lowest_is_bounded() -> None:
    embeddings, labels = photos(KNOWN_CENTRES, 5, 1)
    known, opposite = known_photos(labels, tuned=embeddings), seen(-embeddings[:3])
    term = Term("pretrained similarity", 0.9, 0.01)
    assert (guard_scores(Guard((term,), 0.0), opposite, known) < -8).all()
    assert guard_scores(Guard((term,), 0.0, lowest=-8.0), opposite, known) == pytest.approx([-8.0] * 3)


def test_a_photo_named_as_a_rare_class_may_lie_further_off_than_one_of_a_common_class() -> None:
    embeddings, labels = photos(KNOWN_CENTRES, 36, 1)
    rare = labels == 3
    kept = ~rare | (np.cumsum(rare) <= 4)
    known, asked = known_photos(labels[kept], tuned=embeddings[kept]), seen(photos(KNOWN_CENTRES, 3, 2)[0])
    alike, widened = (
        Guard((Term("tuned Mahalanobis", 0.0, 1.0, doubled_at),), -3.0).deviations(asked, known)[0]
        for doubled_at in (0.0, 12.0)
    )
    assert widened == pytest.approx(alike / np.where(asked.predicted == 3, 1 + 12 / 4, 1 + 12 / 36))


def test_a_plate_that_was_not_read_counts_nothing() -> None:
    embeddings, labels = photos(KNOWN_CENTRES, 20, 1)
    codes = codes_of([("SINGLE PHASE METER", 1.0)])
    known = known_photos(labels, tuned=embeddings, printed=np.tile(codes, (len(labels), 1)))
    plates = np.stack([codes_of([("THREE WIRE AMPERE", 1.0)]), codes_of([])])
    guard = Guard((Term(FAMILIAR_PRINT, -0.1, 0.05),), 0.0)
    strange, unread = guard_scores(guard, seen(embeddings[:2], printed=plates), known)
    assert strange < -5
    assert unread == 0
