"""What a model says to the test photos of today's data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from meter_pipeline.evaluation.figures import audit_frame
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.image_features import features_of, update_labelled_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import LABELLED_FEATURES


@dataclass(frozen=True)
class Answers:
    """What a model says to the test photos; all but the audit, which is sorted by path, in one order.

    Attributes:
        probabilities: softmax, photos x classes.
        labels: true classes.
        decisions: rows of `recognition.decision.decide`.
        audit: rows of `EVALUATION_AUDIT`.
    """

    probabilities: np.ndarray
    labels: list[str]
    decisions: pd.DataFrame
    audit: pd.DataFrame


def ask_test_photos(layout: Layout, model: MeterModel, split: pd.DataFrame, rules: DecisionSettings) -> Answers:
    """Ask a model about the test photos of a split; each photo goes through the network once."""
    test = split[split["split"] == "test"].sort_values("image_id")
    update_labelled_features(layout, model, test)
    features = features_of(layout.lake, LABELLED_FEATURES, model.version, test["image_id"].tolist())
    rows = test.set_index("image_id").loc[features.image_ids]
    probabilities = (
        softmax(features.logits.astype(np.float64), axis=1)
        if len(features.image_ids)
        else np.zeros((0, len(model.classes)))
    )
    decisions = decide(model, features, rules)
    audit = audit_frame(
        model_version=model.version,
        image_ids=features.image_ids,
        paths=rows["path"].tolist(),
        true_classes=rows["label"].tolist(),
        probabilities=probabilities,
        classes=model.classes,
        decisions=decisions,
    )
    return Answers(probabilities, rows["label"].tolist(), decisions, audit)
