"""Photos that a model was not shown with all their scores, and what scores are measured in: medians and spreads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.guard import Term, standardised, without_silence
from meter_pipeline.recognition.scores import (
    DOUBLED_AT,
    FAMILIAR_COLOURS,
    FAMILIAR_PRINT,
    SCORES,
    Known,
    Seen,
    widening,
)

OWN = -1
"""Number that stands for a fold where photos were held out from the model itself."""
SMALLEST_SPREAD, SMALLEST_SPREAD_OF_SHARES = 1e-6, 0.01
"""A smaller spread is raised to these; of shares that is a hundredth of the photo's area, or of its print."""
LOW_QUANTILE, DEVIATIONS_BELOW = 0.05, 1.645
"""Of a normal distribution this quantile lies that many standard deviations below the median."""
LOWEST = -8.0
"""See `Guard.lowest`: one odd reflection must not outweigh all that speaks for a class."""


def held_out_rows(
    seen: Seen,
    known: Known,
    labels: np.ndarray,
    *,
    image_ids: Sequence[str],
    classes: Sequence[str],
    outputs: Sequence[str],
    fold: int,
) -> pd.DataFrame:
    """Return one row per photo that a model was not shown: what it is, and all scores.

    Args:
        seen: what the model said of the photos.
        known: the model's train photos.
        labels: index of each photo's class among the model's classes; -1 where that class was hidden from it.
        image_ids: the photos.
        classes: name of each photo's class.
        outputs: names of the model's classes.
        fold: number of the fold; `OWN` for the model itself.

    Returns:
        Columns image_id, class, predicted, fold, hidden, correct, confidence (softmax of the first, 0 to 1),
        class_photos and predicted_photos (train photos of the class, 0 where it was hidden, and of the predicted one)
        and the `SCORES`.
    """
    rows = pd.DataFrame({"image_id": list(image_ids), "class": list(classes), "fold": fold, "hidden": labels < 0})
    rows["predicted"] = np.asarray(outputs, dtype=object)[seen.predicted] if len(labels) else None
    rows["correct"] = seen.predicted == labels
    rows["confidence"] = softmax(seen.logits, axis=1).max(axis=1)
    rows["class_photos"] = np.where(labels < 0, 0, known.photos_of(np.maximum(labels, 0)))
    rows["predicted_photos"] = known.photos_of(seen.predicted)
    return rows.assign(**{name: score(seen, known) for name, score in SCORES.items()})


def no_held_out_rows() -> pd.DataFrame:
    """Return the columns of `held_out_rows` without a row."""
    nothing, no_labels = Embeddings.empty(1), np.zeros(0, np.int64)
    return held_out_rows(
        Seen(logits=np.zeros((0, 1), np.float32), embeddings=nothing),
        Known(labels=no_labels, groups=no_labels, embeddings=nothing),
        no_labels,
        image_ids=[],
        classes=[],
        outputs=[],
        fold=OWN,
    )


@dataclass(frozen=True)
class Measures:
    """Medians and spreads of the scores of known photos that were held out, one row per fold, one column per score.

    The spreads are those of a class that many photos show, as `scores.widening` makes them from those of any class.
    """

    medians: pd.DataFrame
    spreads: pd.DataFrame

    @classmethod
    def of(cls, known: pd.DataFrame) -> Measures:
        """Measure rows of `held_out_rows` that are of known classes."""
        by_fold = known.groupby("fold")[list(SCORES)]
        smallest = pd.Series(SMALLEST_SPREAD, index=list(SCORES))
        smallest[[FAMILIAR_COLOURS, FAMILIAR_PRINT]] = SMALLEST_SPREAD_OF_SHARES
        medians = by_fold.median()
        below = (medians.loc[known["fold"]].to_numpy() - known[list(SCORES)]) / _widening(known)
        spreads = below.groupby(known["fold"]).quantile(1 - LOW_QUANTILE) / DEVIATIONS_BELOW
        return cls(medians, spreads.clip(lower=smallest, axis=1))

    def deviations(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return each photo's scores as deviations from those of its own model, one column per score."""
        median, spread = (measure.loc[rows["fold"]].to_numpy() for measure in (self.medians, self.spreads))
        values = rows[list(SCORES)].to_numpy(np.float64)
        found = pd.DataFrame(standardised(values, median, spread * _widening(rows), LOWEST), columns=list(SCORES))
        return found.assign(**{FAMILIAR_PRINT: without_silence(found[FAMILIAR_PRINT].to_numpy())})

    def terms(self, names: Sequence[str]) -> tuple[Term, ...]:
        """Return the sum of these scores, with what the scores of new photos are measured by.

        The val photos chose the epoch, so that the model is surer of them than of new photos; a fold's model saw fewer
        photos, and is less sure. The truth lies between: the geometric mean of the two spreads. That of the folds is
        their geometric mean too, as one fold with a few odd photos would make an arithmetic one.
        """
        own, logarithms = self.medians.index == OWN, np.log(self.spreads)
        typical = self.medians[own if own.any() else ~own].mean()
        spread = np.exp(pd.DataFrame([logarithms[own].mean(), logarithms[~own].mean()]).mean())
        return tuple(Term(name, float(typical[name]), float(spread[name]), DOUBLED_AT.get(name, 0.0)) for name in names)


def _widening(rows: pd.DataFrame) -> np.ndarray:
    """Return how much wider each score spreads for the class that each photo is named, photos x scores."""
    doubled_at = np.array([DOUBLED_AT.get(name, 0.0) for name in SCORES])
    return widening(rows["predicted_photos"].to_numpy()[:, None], doubled_at)
