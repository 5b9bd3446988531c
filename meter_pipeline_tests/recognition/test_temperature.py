"""The temperature: found where a model is too sure or too unsure, and never sent to its bound by photos all right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.reliability import expected_calibration_error
from meter_pipeline.recognition.temperature import at_temperature, fit_temperature, log_probabilities

PHOTOS = 20_000


def believed(sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and a model that says sharpness x logits: its temperature is sharpness."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(PHOTOS, 5))
    labels = (softmax(logits, axis=1).cumsum(axis=1) > generator.random((PHOTOS, 1))).argmax(axis=1)
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0, 4.0])
def test_temperature_finds_how_much_too_sure_a_model_is_and_mends_the_ece(sharpness: float) -> None:
    logits, labels = believed(sharpness)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(sharpness, rel=0.05)
    mended = at_temperature(softmax(logits, axis=1), temperature)
    correct = mended.argmax(axis=1) == labels
    assert expected_calibration_error(mended.max(axis=1), correct) < 0.015
    if sharpness != 1:
        assert expected_calibration_error(softmax(logits, axis=1).max(axis=1), correct) > 0.05


def test_log_probabilities_do_as_well_as_logits() -> None:
    logits, labels = believed(2.0)
    from_probabilities = fit_temperature(log_probabilities(softmax(logits, axis=1)), labels)
    assert from_probabilities == pytest.approx(fit_temperature(logits, labels), rel=1e-3)


def test_logits_that_are_not_finite_stop_with_a_message_for_people() -> None:
    with pytest.raises(MeterError, match="lower learning rate"):
        fit_temperature(np.array([[1.0, np.inf]]), [0])


def test_photos_that_are_all_right_do_not_send_the_temperature_to_its_bound() -> None:
    """The likelihood alone went to the lowest temperature there is, where every confidence is 1.0."""
    of_photos = {count: fit_temperature(np.tile([[3.0, 0.0]], (count, 1)), [0] * count) for count in (5, 50, 500)}
    assert 1 > of_photos[5] > of_photos[50] > of_photos[500] > 0.3
    barely = np.array([[0.55, 0.45]])
    assert at_temperature(barely, of_photos[50]).max() < 0.65
    assert 19 < fit_temperature(np.tile([[5.0, 0.0]], (20, 1)), [1] * 20) < 21  # all wrong: as unsure as can be
