"""What saying UNKNOWN costs and gains: accuracy against coverage, known photos flagged, and others caught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from meter_pipeline.recognition.temperature import require_finite

KNOWN_FLAGGED_LIMITS = (0.01, 0.05, 0.10)
"""Shares of known photos that may be sent to UNKNOWN, at which a score is judged."""


@dataclass(frozen=True)
class UnknownCurve:
    """How well a score tells known photos from others.

    Attributes:
        auroc: chance that a known photo scores above another one (0.5: no better than a coin).
        caught: one row per limit of 1, 5 and 10 %: `known_limit`, `threshold`, `known_flagged`, `caught` (shares 0 to
            1).
        curve: one row per threshold, rising: `threshold`, `known_flagged`, `caught`; flagged is what scores below it.
        n_other: other photos.
        oscr: area under the open-set classification rate curve, see `_area_under_oscr`; None if not asked for.
    """

    auroc: float
    caught: pd.DataFrame
    curve: pd.DataFrame
    n_other: int
    oscr: float | None = None


def curve_table(curves: Mapping[str, UnknownCurve]) -> pd.DataFrame:
    """Return one row per curve: photos, AUROC, OSCR, and the shares caught with 1, 5 and 10 % of the known flagged."""
    rows = []
    for name, curve in curves.items():
        caught = zip(curve.caught["known_limit"], curve.caught["caught"], strict=True)
        rows.append(
            {"photos": f"{name} ({curve.n_other})", "AUROC": curve.auroc, "OSCR": curve.oscr}
            | {f"caught at {limit:.0%}": share for limit, share in caught}
        )
    return pd.DataFrame(rows)


def unknown_curve(
    known_scores: np.ndarray, other_scores: np.ndarray, *, correct: np.ndarray | None = None
) -> UnknownCurve:
    """Measure how well a score tells known photos from others (unseen designs, junk).

    Args:
        known_scores: one score per known photo; higher is more like the known (confidence, max-logit, minus a
            distance).
        other_scores: the same for photos that should be flagged.
        correct: whether a known photo's class was the right one; None: no `oscr`.

    Raises:
        ValueError: one of the two is empty.
        MeterError: a score is not a finite number.
    """
    known = np.sort(np.asarray(known_scores, np.float64))
    other = np.sort(np.asarray(other_scores, np.float64))
    if not len(known) or not len(other):
        raise ValueError("An UNKNOWN curve needs known and other photos")
    require_finite(known, "scores of known photos")
    require_finite(other, "scores of other photos")
    thresholds = np.append(np.unique(np.concatenate([known, other])), np.inf)
    curve = pd.DataFrame(
        {
            "threshold": thresholds,
            "known_flagged": np.searchsorted(known, thresholds, side="left") / len(known),
            "caught": np.searchsorted(other, thresholds, side="left") / len(other),
        }
    )
    rows = []
    for limit in KNOWN_FLAGGED_LIMITS:
        best = curve[curve["known_flagged"] <= limit].iloc[-1]
        rows.append({"known_limit": limit, **best.to_dict()})
    is_known = np.concatenate([np.ones(len(known)), np.zeros(len(other))])
    auroc = float(roc_auc_score(is_known, np.concatenate([known, other])))
    oscr = None if correct is None else _area_under_oscr(known_scores, correct, other_scores)
    return UnknownCurve(auroc, pd.DataFrame(rows), curve, len(other), oscr)


def _area_under_oscr(known_scores: np.ndarray, known_correct: np.ndarray, other_scores: np.ndarray) -> float:
    """Return the area under the open-set classification rate curve (Dhamija et al. 2018), 0 to 1.

    Over all thresholds: share of known photos accepted with the right class, against share of other photos accepted.

    Args:
        known_scores: one score per known photo; higher is more like the known.
        known_correct: whether its class was the right one.
        other_scores: one score per photo that should be flagged.

    Raises:
        ValueError: one of the two is empty.
    """
    known, other = np.asarray(known_scores, np.float64), np.sort(np.asarray(other_scores, np.float64))
    correct = np.asarray(known_correct, bool)
    if not len(known) or not len(other):
        raise ValueError("OSCR needs known and other photos")
    # The area is the chance that a known photo has the right class and scores above another photo; a tie counts half.
    below = (np.searchsorted(other, known, side="left") + np.searchsorted(other, known, side="right")) / 2
    return float(np.mean(np.where(correct, below / len(other), 0.0)))


def coverage_table(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """Return accuracy against coverage: what is answered, and how well, if only the surest are answered.

    Args:
        confidence: top-1 confidence of each photo, 0 to 1.
        correct: whether it was right.

    Returns:
        One row per distinct confidence, falling: `threshold` (answered at or above it), `answered`, `errors`,
        `coverage`, `accuracy`.
    """
    frame = pd.DataFrame({"threshold": np.asarray(confidence, np.float64), "wrong": ~np.asarray(correct, bool)})
    by_threshold = frame.groupby("threshold")["wrong"].agg(["size", "sum"]).sort_index(ascending=False).cumsum()
    answered, errors = by_threshold["size"].to_numpy(np.int64), by_threshold["sum"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            "threshold": by_threshold.index.to_numpy(np.float64),
            "answered": answered,
            "errors": errors,
            "coverage": answered / max(len(frame), 1),
            "accuracy": 1.0 - errors / np.maximum(answered, 1),
        }
    )


def area_under_risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Return the mean error share over the coverages 1/n, 2/n ... 1, surest first (Geifman and El-Yaniv, 2017).

    Photos of equal confidence count as if in random order (its expectation), so the order of the input does not matter.
    """
    table = coverage_table(confidence, correct)
    answered, errors = table["answered"].to_numpy(), table["errors"].to_numpy()
    total = int(answered[-1])
    expected_errors = np.interp(np.arange(1, total + 1), np.append(0, answered), np.append(0, errors))
    return float(np.mean(expected_errors / np.arange(1, total + 1)))


def known_flagged_table(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """Return what a threshold sends to UNKNOWN of photos that are known, the price of a stricter rule.

    Returns:
        One row per threshold, 0 to 1 in steps of 0.05: `threshold`, `known_flagged` (share below it), `right_flagged`
        and `wrong_flagged` (the same among photos with the right and with a wrong top 1; NaN if there are none).
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    thresholds = np.round(np.linspace(0, 1, 21), 2)

    def share_below(values: np.ndarray) -> np.ndarray:
        below = np.searchsorted(np.sort(values), thresholds, side="left")
        return below / len(values) if len(values) else np.full(len(thresholds), np.nan)

    return pd.DataFrame(
        {
            "threshold": thresholds,
            "known_flagged": share_below(confidence),
            "right_flagged": share_below(confidence[correct]),
            "wrong_flagged": share_below(confidence[~correct]),
        }
    )
