"""What a model says to the test photos of today's data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from meter_pipeline.evaluation.figures import audit_frame
from meter_pipeline.labels import Split
from meter_pipeline.recognition.decision import Decision, class_probabilities, decide
from meter_pipeline.recognition.image_features import features_of, update_labelled_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.temperature import require_finite
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import LABELLED_FEATURES


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says to the test photos, one row per photo and all in one order, except for the audit.

    Attributes:
        probabilities: softmax, photos x classes; any shape with 0 rows where there are no test photos.
        labels: the true classes.
        decisions: what is decided on each photo.
        audit: rows of `EVALUATION_AUDIT`, sorted by path.
    """

    probabilities: np.ndarray
    labels: list[str]
    decisions: list[Decision]
    audit: pd.DataFrame


def ask_test_photos(layout: Layout, model: MeterModel, split: pd.DataFrame, rules: DecisionSettings) -> Answers:
    """Ask a model about the test photos of a split; each photo goes through the network once.

    Args:
        layout: the data directory.
        model: the model.
        split: table `dataset_split`.
        rules: what makes a photo UNKNOWN or DARK.

    Raises:
        MeterError: the model gives numbers that are not finite.
    """
    test = split[split["split"] == Split.TEST].sort_values("image_id")
    update_labelled_features(layout, model, test)
    features = features_of(layout.lake, LABELLED_FEATURES, model.version, test["image_id"].tolist())
    probabilities = class_probabilities(features.logits)
    require_finite(probabilities, "probabilities")
    decisions = decide(model, features, rules)
    rows = test.set_index("image_id").loc[features.image_ids]
    labels = rows["label"].tolist()
    audit = audit_frame(decisions, model_version=model.version, paths=rows["path"].tolist(), true_classes=labels)
    return Answers(probabilities=probabilities, labels=labels, decisions=decisions, audit=audit)
