"""How far a confidence can be believed: reliability by bins, calibration error, and the temperature that mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from meter_pipeline.errors import MeterError

Binning = Literal["equal_width", "equal_mass"]

CALIBRATION_BINS = 15
"""Bins of the ECE, as in Guo et al., On Calibration of Modern Neural Networks, 2017."""
LOG_TEMPERATURE_BOUNDS = (-3.0, 3.0)
"""Natural logarithm of the temperatures that are tried: 0.05 to 20."""
SMALLEST_PROBABILITY = 1e-12
"""Stands for a probability of exactly 0 where its logarithm is taken."""
LOG_TEMPERATURE_SPREAD = 2.0
"""Standard deviation of what the logarithm is taken to be before any photo is seen: where all held-out photos are right
the likelihood alone falls to the lowest bound, and every confidence would be 1.0 (0013)."""


def reliability_table(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = CALIBRATION_BINS, binning: Binning = "equal_width"
) -> pd.DataFrame:
    """Compare how sure the model was with how often it was right, by bins of confidence.

    Args:
        confidence: top-1 confidence a photo, 0 to 1.
        correct: whether the top-1 class was right, a photo.
        bins: number of bins.
        binning: `equal_width` cuts 0 to 1 into even pieces, empty ones included; `equal_mass` puts the same number of
            photos into each bin (equal confidences stay together, so there may be fewer bins).

    Returns:
        A row a bin, in order: `low`, `high`, `count`, `confidence` (mean), `accuracy`, `gap` (confidence minus
        accuracy: above 0 is too sure). A bin holds low < confidence <= high; means of an empty bin are NaN.

    Raises:
        ValueError: the lengths differ or there are no bins.
        MeterError: a confidence is not a number from 0 to 1.
    """
    confidence, correct = _checked(confidence, correct)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    edges = np.linspace(0.0, 1.0, bins + 1)
    if binning == "equal_mass" and len(confidence):
        inner = np.quantile(confidence, edges[1:-1], method="inverted_cdf")
        edges = np.unique(np.concatenate([[0.0], inner, [1.0]]))
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)
    size = len(edges) - 1
    count = np.bincount(place, minlength=size)
    some = np.where(count == 0, np.nan, count)
    mean_confidence = np.bincount(place, weights=confidence, minlength=size) / some
    accuracy = np.bincount(place, weights=correct, minlength=size) / some
    table = pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "count": count,
            "confidence": mean_confidence,
            "accuracy": accuracy,
            "gap": mean_confidence - accuracy,
        }
    )
    return table[table["count"] > 0].reset_index(drop=True) if binning == "equal_mass" else table


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = CALIBRATION_BINS, binning: Binning = "equal_width"
) -> float:
    """Return the mean distance between confidence and accuracy over the bins, weighted by their photos (0 is perfect).

    With few photos it is biased upwards: 170 photos of a perfectly calibrated model give about 0.03 to 0.05.

    Raises:
        ValueError: there are no photos, or the lengths differ.
        MeterError: a confidence is not a number from 0 to 1.
    """
    table = reliability_table(confidence, correct, bins=bins, binning=binning)
    total = int(table["count"].sum())
    if total == 0:
        raise ValueError("ECE of no photos is not defined")
    return float((table["gap"].abs().fillna(0.0) * table["count"]).sum() / total)


def fit_temperature(logits: np.ndarray, labels: Sequence[int] | np.ndarray) -> float:
    """Find the temperature that makes softmax(logits / temperature) fit held-out labels best (Guo et al., 2017).

    A weak prior (`LOG_TEMPERATURE_SPREAD`) keeps it from its bounds where no photo is wrong.

    Args:
        logits: photos x classes, of photos the model was not trained on; log-probabilities do as well.
        labels: index of the true class, a photo.

    Returns:
        The temperature of highest posterior density, 0.05 to 20; above 1 the model was too sure of itself. It does not
        change which class is first.

    Raises:
        ValueError: there are no photos, the shapes do not fit, or a label is no class.
        MeterError: a logit is not a finite number.
    """
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
        return float(np.sum(logsumexp(scaled, axis=1) - scaled[rows, labels]) + prior)

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
    return np.exp(log_softmax(log_probabilities(probabilities) / temperature, axis=1))


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms that stand for the logits (they differ by a constant a photo, which softmax does not see)."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY))


def require_finite(values: np.ndarray, what: str) -> None:
    """Stop where a model gave numbers that are none.

    Raises:
        MeterError: says for how many photos, and the first.
    """
    finite = np.isfinite(values)
    bad = np.flatnonzero(~(finite.all(axis=1) if finite.ndim > 1 else finite))
    if len(bad):
        raise MeterError(
            f"The model's {what} are not finite numbers for {len(bad)} of {len(values)} photos (first: row {bad[0]}).",
            fix="The training went astray: train again with a lower learning rate, or from other weights.",
        )


def _checked(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} do not fit")
    require_finite(confidence, "confidences")
    if len(confidence) and (confidence.min() < 0 or confidence.max() > 1 + 1e-6):
        raise MeterError("A confidence is outside 0 to 1.", fix="Give softmax probabilities, not logits or percent.")
    return np.minimum(confidence, 1.0), correct
