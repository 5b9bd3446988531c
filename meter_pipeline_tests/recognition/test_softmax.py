"""Softmax: what SciPy says, also of numbers whose exponentials overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from meter_pipeline.recognition.softmax import log_softmax, log_sum_exp, softmax


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1.0, 30.0, 5000.0])
def test_they_are_those_of_scipy(dtype: type, size: float) -> None:
    logits = (np.random.default_rng(1).normal(size=(50, 7)) * size).astype(dtype)
    close = {"rtol": 1e-5 if dtype is np.float32 else 1e-12, "atol": 1e-30}
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=1), **close)
    np.testing.assert_allclose(log_softmax(logits), special.log_softmax(logits, axis=1), **close)
    np.testing.assert_allclose(log_sum_exp(logits), special.logsumexp(logits, axis=1), **close)
    assert softmax(logits).dtype == dtype


def test_one_class_is_certain_and_no_photo_gives_none() -> None:
    assert softmax(np.array([[3.0]])).tolist() == [[1.0]]
    assert log_sum_exp(np.array([[3.0]])).tolist() == [3.0]
    assert softmax(np.zeros((0, 3))).shape == (0, 3)
