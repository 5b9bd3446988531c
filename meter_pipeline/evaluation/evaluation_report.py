"""A saved model's answers to the test photos of today's data set, measured and reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from meter_pipeline.evaluation.answers import ask_test_photos
from meter_pipeline.evaluation.figures import Evaluation, evaluate
from meter_pipeline.evaluation.page import write_evaluation
from meter_pipeline.evaluation.unknown_curves import UnknownCurve, unknown_curve
from meter_pipeline.labels import Split
from meter_pipeline.recognition.model_store import load_held_out, load_model
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT


@dataclass(frozen=True)
class Assessment:
    """How good a model is, and where that is written.

    Attributes:
        evaluation: the figures on the test photos.
        page: the report for people, an HTML file.
        unknown_curves: how well the guard tells photos of other types from known ones, by what those are; empty if
            no classes were hidden during training.
    """

    evaluation: Evaluation
    page: Path
    unknown_curves: dict[str, UnknownCurve]


def assess(layout: Layout, version: str, rules: DecisionSettings) -> Assessment:
    """Ask a model about the test photos, write its report, and keep its audit rows in the lake.

    Args:
        layout: the data directory.
        version: the model.
        rules: what makes a photo UNKNOWN or DARK.

    Raises:
        MeterError: the model gives numbers that are not finite.
    """
    model, split = load_model(layout, version), layout.lake.frame(DATASET_SPLIT)
    answers = ask_test_photos(layout, model, split, rules)
    train_counts = Counter(split.loc[split["split"] == Split.TRAIN, "label"])
    evaluation = evaluate(
        answers.probabilities,
        answers.labels,
        model.classes,
        unknown_threshold=rules.unknown_threshold,
        train_counts=train_counts,
        calibrated=np.array([decision.calibrated_confidence for decision in answers.decisions]),
    )
    layout.lake.upsert(EVALUATION_AUDIT, answers.audit)
    curves = _hidden_class_curves(load_held_out(layout, version))
    page = write_evaluation(
        layout.evaluation(version),
        evaluation,
        answers.audit,
        model.card.history,
        model.card.as_dict(),
        photo_paths=dict(zip(split["image_id"], (layout.raw / path for path in split["path"]), strict=True)),
        split=split,
        unknown_curves=curves,
    )
    return Assessment(evaluation, page, curves)


def _hidden_class_curves(held_out: pd.DataFrame) -> dict[str, UnknownCurve]:
    """Return how well the guard tells known photos from those of classes that were hidden in turn.

    Args:
        held_out: what the folds' models said of the photos kept from them (`model_store.load_held_out`).

    Returns:
        One curve by its name; empty if no classes were hidden.
    """
    if "guard_score" not in held_out or held_out["hidden"].nunique() < 2:
        return {}
    known, hidden = held_out[~held_out["hidden"]], held_out[held_out["hidden"]]
    scores = (part["guard_score"].to_numpy() for part in (known, hidden))
    return {"hidden classes": unknown_curve(*scores, correct=known["correct"].to_numpy(bool))}
