"""Reliability by bins and the expected calibration error: by hand, for every binning, and of what is refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.reliability import Binning, expected_calibration_error, reliability_table

BINNINGS: tuple[Binning, ...] = get_args(Binning)
answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_ece_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False, True, False])
    # 4 photos at 0.9, 3/4 right: gap 0.15; 2 photos at 0.6, half right: gap 0.10
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx((4 * 0.15 + 2 * 0.10) / 6)
    table = reliability_table(confidence, correct, bins=10).query("count > 0")
    assert table["count"].tolist() == [2, 4]
    assert table["gap"].tolist() == pytest.approx([0.10, 0.15])


@pytest.mark.parametrize("binning", BINNINGS)
def test_a_model_that_always_says_90_percent_and_is_right_half_the_time_is_off_by_40(binning: Binning) -> None:
    correct = np.arange(100) % 2 == 0
    assert expected_calibration_error(np.full(100, 0.9), correct, binning=binning) == pytest.approx(0.4)


@settings(max_examples=60, deadline=None)
@given(answers, st.integers(1, 20), st.sampled_from(BINNINGS))
def test_every_photo_is_in_exactly_one_bin_that_holds_it(
    rows: list[tuple[float, bool]], bins: int, binning: Binning
) -> None:
    confidence, correct = np.array([c for c, _ in rows]), np.array([r for _, r in rows])
    table = reliability_table(confidence, correct, bins=bins, binning=binning)
    assert table["count"].sum() == len(rows)
    filled = table[table["count"] > 0]
    assert (filled["confidence"] >= filled["low"] - 1e-9).all()
    assert (filled["confidence"] <= filled["high"] + 1e-9).all()
    error = expected_calibration_error(confidence, correct, bins=bins, binning=binning)
    assert 0 <= error <= 1
    # the overall gap can only be hidden by bins that cancel, never made larger
    assert error >= abs(confidence.mean() - correct.mean()) - 1e-9


def test_what_is_no_confidence_stops_with_a_message_for_people() -> None:
    with pytest.raises(MeterError, match="not finite numbers for 1 of 2 photos"):
        expected_calibration_error(np.array([0.5, np.nan]), np.array([True, False]))
    with pytest.raises(MeterError, match="outside 0 to 1"):
        reliability_table(np.array([93.0]), np.array([True]))
