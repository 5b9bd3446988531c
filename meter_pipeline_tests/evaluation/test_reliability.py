import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.reliability import expected_calibration_error, reliability_table
from meter_pipeline.recognition.temperature import at_temperature, fit_temperature, log_probabilities

PHOTOS = 20_000
answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def believed(sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and a model that says sharpness x logits: its temperature is sharpness."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(PHOTOS, 5))
    labels = (softmax(logits, axis=1).cumsum(axis=1) > generator.random((PHOTOS, 1))).argmax(axis=1)
    return sharpness * logits, labels


def test_ece_by_hand():
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False, True, False])
    # 4 photos at 0.9, 3/4 right: gap 0.15; 2 photos at 0.6, half right: gap 0.10
    assert expected_calibration_error(confidence, correct, bins=10) == pytest.approx((4 * 0.15 + 2 * 0.10) / 6)
    table = reliability_table(confidence, correct, bins=10).query("count > 0")
    assert table["count"].tolist() == [2, 4]
    assert table["gap"].tolist() == pytest.approx([0.10, 0.15])


def test_a_model_that_always_says_90_percent_and_is_right_half_the_time_is_off_by_40():
    correct = np.arange(100) % 2 == 0
    for binning in ("equal_width", "equal_mass"):
        assert expected_calibration_error(np.full(100, 0.9), correct, binning=binning) == pytest.approx(0.4)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0, 4.0])
def test_temperature_finds_how_much_too_sure_a_model_is_and_mends_the_ece(sharpness):
    logits, labels = believed(sharpness)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(sharpness, rel=0.05)
    mended = at_temperature(softmax(logits, axis=1), temperature)
    correct = mended.argmax(axis=1) == labels
    assert expected_calibration_error(mended.max(axis=1), correct) < 0.015
    if sharpness != 1:
        assert expected_calibration_error(softmax(logits, axis=1).max(axis=1), correct) > 0.05


def test_log_probabilities_do_as_well_as_logits():
    logits, labels = believed(2.0)
    from_probabilities = fit_temperature(log_probabilities(softmax(logits, axis=1)), labels)
    assert from_probabilities == pytest.approx(fit_temperature(logits, labels), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(answers, st.integers(1, 20), st.sampled_from(["equal_width", "equal_mass"]))
def test_every_photo_is_in_exactly_one_bin_that_holds_it(rows, bins, binning):
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


def test_numbers_that_are_none_stop_with_a_message_for_people():
    with pytest.raises(MeterError, match="not finite numbers for 1 of 2 photos"):
        expected_calibration_error(np.array([0.5, np.nan]), np.array([True, False]))
    with pytest.raises(MeterError, match="lower learning rate"):
        fit_temperature(np.array([[1.0, np.inf]]), [0])
    with pytest.raises(MeterError, match="outside 0 to 1"):
        reliability_table(np.array([93.0]), np.array([True]))


def test_photos_that_are_all_right_do_not_send_the_temperature_to_its_bound():
    """The likelihood alone went to the lowest temperature there is, where every confidence is 1.0."""
    of_photos = {count: fit_temperature(np.tile([[3.0, 0.0]], (count, 1)), [0] * count) for count in (5, 50, 500)}
    assert 1 > of_photos[5] > of_photos[50] > of_photos[500] > 0.3
    barely = np.array([[0.55, 0.45]])
    assert at_temperature(barely, of_photos[50]).max() < 0.65
    assert 19 < fit_temperature(np.tile([[5.0, 0.0]], (20, 1)), [1] * 20) < 21  # all wrong: as unsure as can be
