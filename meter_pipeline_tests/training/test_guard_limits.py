"""Limits from known photos that were held out: surely no more are flagged than allowed."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.recognition.guard import Term
from meter_pipeline.training.guard_limits import SURENESS, TAUGHT_REACH, Allowance, KnownSums, guard_with_limits

TERMS = (Term("pretrained similarity", 0.8, 0.1),)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_so_many_photos_make_sure_that_no_more_are_flagged(share: float) -> None:
    """Below the lowest of n photos lies surely at most a share p of new ones once (1 - p) ** n <= 1 - SURENESS."""
    enough = int(np.ceil(np.log(1 - SURENESS) / np.log(1 - share)))
    assert not Allowance(share).is_measured_by(enough - 1)
    assert Allowance(share).is_measured_by(enough)


def test_what_the_softmax_rule_flags_counts_towards_the_share() -> None:
    score = np.arange(200.0)
    none, some = np.zeros(200, bool), np.arange(200) >= 196
    allowance = Allowance(0.05)
    assert allowance.threshold(score, none) - allowance.threshold(score, some) == 4
    assert allowance.threshold(score, np.arange(200) >= 100) == -np.inf


def test_of_new_photos_surely_no_more_than_the_share_are_flagged() -> None:
    random = np.random.default_rng(0)
    thresholds = [Allowance(0.05).threshold(random.uniform(size=150), np.zeros(150, bool)) for _ in range(500)]
    flagged = np.array(thresholds)  # of photos spread evenly from 0 to 1 the share below a threshold is the threshold
    assert np.mean(flagged <= 0.05) == pytest.approx(SURENESS, abs=0.06)


def test_a_class_that_scores_high_has_limits_of_its_own_where_enough_photos_say_so() -> None:
    predicted = np.array(["A"] * 60 + ["B"] * 60 + ["C"] * 10, dtype=object)
    score = np.concatenate([np.linspace(-3, 1, 60), np.linspace(2, 3, 60), np.linspace(2, 3, 10)])
    known = KnownSums(predicted=predicted, score=score, unsure=np.zeros(130, bool))
    guard = guard_with_limits(TERMS, known, Allowance(0.05))
    assert (set(guard.class_thresholds), set(guard.class_sure_from)) == ({"B"}, {"B"})
    assert guard.threshold is not None
    assert guard.threshold < 1 < guard.class_thresholds["B"] < guard.class_sure_from["B"]


def test_a_class_that_people_taught_reaches_wider_unless_enough_photos_say_otherwise() -> None:
    predicted = np.array(["A"] * 60 + ["B"] * 60 + ["NEW"] * 5, dtype=object)
    score = np.concatenate([np.linspace(-3, 1, 60), np.linspace(2, 3, 60), np.linspace(-1, 0, 5)])
    known = KnownSums(predicted=predicted, score=score, unsure=np.zeros(125, bool))
    guard = guard_with_limits(TERMS, known, Allowance(0.05), taught=["B", "NEW", "NEVER_HELD_OUT"])
    assert guard.threshold is not None
    assert guard.threshold < 0
    lower = TAUGHT_REACH * guard.threshold
    own = guard_with_limits(TERMS, known, Allowance(0.05)).class_thresholds["B"]
    assert guard.class_thresholds == {"NEW": lower, "NEVER_HELD_OUT": lower, "B": own}
    assert guard.flags("A", lower + 0.01)
    assert not guard.flags("NEW", lower + 0.01)
    assert not guard.is_sure("NEW", lower + 0.01), "it is named, and not called sure"


def test_the_guard_is_off_where_the_softmax_rule_flags_enough() -> None:
    known = KnownSums(predicted=np.array(["A"] * 60, dtype=object), score=np.arange(60.0), unsure=np.ones(60, bool))
    guard = guard_with_limits(TERMS, known, Allowance(0.05))
    assert (guard.threshold, guard.class_thresholds, guard.sure_from, guard.class_sure_from) == (None, {}, None, {})
