"""The temperature that makes a confidence as high as it is often right (Guo et al., 2017): fitted, and applied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.softmax import log_softmax, log_sum_exp

LOG_TEMPERATURE_BOUNDS = (-3.0, 3.0)
"""Natural logarithm of the temperatures that are tried: 0.05 to 20."""
SMALLEST_PROBABILITY = 1e-12
"""Smaller probabilities are raised to this before their logarithm is taken."""
LOG_TEMPERATURE_SPREAD = 2.0
"""Standard deviation of what the logarithm is taken to be before any photo is seen: where all held-out photos are right
the likelihood alone falls to the lowest bound, and every confidence would be 1.0 (0013)."""


def fit_temperature(logits: np.ndarray, labels: Sequence[int] | np.ndarray) -> float:
    """Find the temperature that makes softmax(logits / temperature) fit held-out labels best (Guo et al., 2017).

    A weak prior (`LOG_TEMPERATURE_SPREAD`) keeps it from its bounds where no photo is wrong.

    Args:
        logits: photos x classes, of photos the model was not trained on; log-probabilities do as well.
        labels: index of each photo's true class.

    Returns:
        The temperature of highest posterior density, 0.05 to 20; above 1 the model was too sure of itself. It does not
        change which class is first.

    Raises:
        ValueError: there are no photos, the shapes do not fit, or a label is not a class.
        MeterError: a logit is not a finite number.
    """
    from scipy.optimize import minimize_scalar

    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if logits.ndim != 2 or logits.shape[0] != labels.shape[0] or logits.shape[0] == 0:
        raise ValueError(f"logits {logits.shape} and labels {labels.shape} do not fit, or there are none")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError("a label is outside the classes")
    require_finite(logits, "logits")
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        prior = (log_temperature / LOG_TEMPERATURE_SPREAD) ** 2 / 2
        return float(np.sum(log_sum_exp(scaled) - scaled[rows, labels]) + prior)

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the softmax that the same logits give at another temperature (photos x classes).

    Args:
        probabilities: softmax at temperature 1, photos x classes.
        temperature: above 1 makes it less sure.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    return np.exp(log_softmax(log_probabilities(probabilities) / temperature))


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms that stand for the logits (up to one constant per photo, which softmax does not see)."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY))


def require_finite(values: np.ndarray, what: str) -> None:
    """Stop where a model gave values that are not finite numbers.

    Raises:
        MeterError: says for how many photos, and names the first row.
    """
    finite = np.isfinite(values)
    bad = np.flatnonzero(~(finite.all(axis=1) if finite.ndim > 1 else finite))
    if len(bad):
        raise MeterError(
            f"The model's {what} are not finite numbers for {len(bad)} of {len(values)} photos (first: row {bad[0]}).",
            fix="The training diverged: train again with a lower learning rate, or from other weights.",
        )
