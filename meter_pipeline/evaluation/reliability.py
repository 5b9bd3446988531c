"""How far a confidence can be believed: reliability by bins, and the expected calibration error."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.temperature import require_finite

Binning = Literal["equal_width", "equal_mass"]

CALIBRATION_BINS = 15
"""Bins of the ECE, as in Guo et al., On Calibration of Modern Neural Networks, 2017."""


def reliability_table(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = CALIBRATION_BINS, binning: Binning = "equal_width"
) -> pd.DataFrame:
    """Compare how sure the model was with how often it was right, by bins of confidence.

    Args:
        confidence: top-1 confidence of each photo, 0 to 1.
        correct: whether its top-1 class was right.
        bins: number of bins.
        binning: `equal_width` cuts 0 to 1 into even pieces, empty ones included; `equal_mass` puts the same number of
            photos into each bin (equal confidences stay together, so there may be fewer bins).

    Returns:
        One row per bin, in order: `low`, `high`, `count`, `confidence` (mean), `accuracy`, `gap` (confidence minus
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
        raise ValueError("The calibration error of no photos is not defined")
    return float((table["gap"].abs().fillna(0.0) * table["count"]).sum() / total)


def _checked(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} do not fit")
    require_finite(confidence, "confidences")
    if len(confidence) and (confidence.min() < 0 or confidence.max() > 1 + 1e-6):
        raise MeterError("A confidence is outside 0 to 1.", fix="Give softmax probabilities, not logits or percent.")
    return np.minimum(confidence, 1.0), correct
