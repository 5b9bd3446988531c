"""Curves over a threshold: by hand, whatever the order of the photos, and as scikit-learn has them."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    roc_auc_score,
)

from meter_pipeline.evaluation.unknown_curves import area_under_risk_coverage, coverage_table, unknown_curve


def test_a_perfect_ranking_keeps_accuracy_until_the_wrong_ones_come() -> None:
    table = coverage_table(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False]))
    assert table["accuracy"].tolist() == [1, 1, 1, 0.75]
    assert table["coverage"].tolist() == [0.25, 0.5, 0.75, 1]
    assert area_under_risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 1, 1, 0])) == pytest.approx(0.25 / 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.5001, 0.9]), st.booleans()), min_size=1), st.randoms())
def test_coverage_does_not_depend_on_the_order_of_photos(rows: list[tuple[float, bool]], random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    confidence, correct = (np.array(values) for values in zip(*rows, strict=True))
    again = [np.array(values) for values in zip(*shuffled, strict=True)]
    pd.testing.assert_frame_equal(coverage_table(confidence, correct), coverage_table(*again))
    assert area_under_risk_coverage(confidence, correct) == pytest.approx(area_under_risk_coverage(*again))
    assert coverage_table(confidence, correct)["accuracy"].iloc[-1] == pytest.approx(correct.mean())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
)
def test_unknown_curve_keeps_its_promise_on_known_photos(known_scores: list[int], other_scores: list[int]) -> None:
    known, other = np.array(known_scores, float), np.array(other_scores, float)
    found = unknown_curve(known, other)
    truth = [1] * len(known) + [0] * len(other)
    assert found.auroc == pytest.approx(roc_auc_score(truth, np.concatenate([known, other])))
    for row in found.caught.to_dict("records"):
        assert np.mean(known < row["threshold"]) == row["known_flagged"] <= row["known_limit"]
        assert np.mean(other < row["threshold"]) == row["caught"]
        better = [t for t in other if np.mean(known < t + 0.5) <= row["known_limit"]]
        assert row["caught"] >= np.mean(np.isin(other, better)) - 1e-9  # no threshold within the limit catches more
