"""A saved model put to the test photos of today's data set: what it said, its report, and the gate to champion."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from meter_pipeline.evaluation.figures import Evaluation, audit_frame, evaluate
from meter_pipeline.evaluation.gate import Contender, Verdict, judge
from meter_pipeline.evaluation.page import write_evaluation
from meter_pipeline.evaluation.unknown_curves import UnknownCurve, unknown_curve
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import MeterModel, champion_version, load_held_out, load_model, set_champion
from meter_pipeline.recognition.scores import normalised
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT, KNOWN_EMBEDDINGS, LABELLED_FEATURES

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What a model said to the test photos, and what that is worth."""

    evaluation: Evaluation
    audit: pd.DataFrame
    page: Path
    unknown_curves: dict[str, UnknownCurve]


def assess(layout: Layout, version: str, rules: DecisionSettings) -> Assessment:
    """Put a model to the test photos, write its report, and keep its audit rows in the lake."""
    model, split = load_model(layout, version), layout.lake.frame(DATASET_SPLIT)
    probabilities, labels, decisions, audit = _ask(layout, model, split, rules)
    train_counts = Counter(split.loc[split["split"] == "train", "label"])
    evaluation = evaluate(
        probabilities,
        labels,
        model.classes,
        unknown_threshold=rules.unknown_threshold,
        train_counts=train_counts,
        calibrated=decisions["calibrated_confidence"].to_numpy(np.float64),
    )
    layout.lake.upsert(EVALUATION_AUDIT, audit)
    curves = hidden_class_curves(load_held_out(layout, version))
    page = write_evaluation(
        layout.evaluation(version),
        evaluation,
        audit,
        model.card.history,
        model.card.as_dict(),
        photo_paths=dict(_photos(layout, split)),
        split=split,
        unknown_curves=curves,
    )
    return Assessment(evaluation, audit, page, curves)


def hidden_class_curves(held_out: pd.DataFrame) -> dict[str, UnknownCurve]:
    """Return how the guard tells known photos from those of classes that were hidden in turn; empty where none were."""
    if "guard_score" not in held_out or held_out["hidden"].nunique() < 2:
        return {}
    known, hidden = held_out[~held_out["hidden"]], held_out[held_out["hidden"]]
    scores = (part["guard_score"].to_numpy() for part in (known, hidden))
    return {"hidden classes": unknown_curve(*scores, correct=known["correct"].to_numpy(bool))}


def challenge(
    layout: Layout, version: str, rules: DecisionSettings, *, tolerance: float, allow_dropped_classes: bool = False
) -> Verdict:
    """Let a model challenge the champion on today's test photos, and put it in use if it is no worse.

    Args:
        layout: the data directory.
        version: the challenger.
        rules: how a final label is decided.
        tolerance: macro recall the challenger may lose and still win.
        allow_dropped_classes: whether it may win although it no longer knows a class of the champion.
    """
    split = layout.lake.frame(DATASET_SPLIT)
    current = champion_version(layout)
    challenger = _contender(layout, version, split, rules)
    champion = _contender(layout, current, split, rules) if current else None
    verdict = judge(challenger, champion, tolerance=tolerance, allow_dropped_classes=allow_dropped_classes)
    _logger.info("%s: %s", "Accepted" if verdict.accepted else "Not accepted", verdict.reason)
    if verdict.accepted and current != version:
        set_champion(layout, version, reason=verdict.reason)
    return verdict


def embed_known(layout: Layout) -> int:
    """Write the L2-normalised embeddings of all labelled photos under the champion; return how many had to be computed.

    Those of the photos it was trained on come with the model.
    """
    model, split = load_model(layout), layout.lake.frame(DATASET_SPLIT)
    reference = model.reference
    other = split[~split["image_id"].isin(reference.image_ids)]
    computed = update_features(layout.lake, LABELLED_FEATURES, model, _photos(layout, other), plates=layout.plates)
    features = features_of(layout.lake, LABELLED_FEATURES, model.version, other["image_id"].tolist())
    embeddings = pd.DataFrame(
        {
            "image_id": [*reference.image_ids, *features.image_ids],
            "embedding": [*reference.known.tuned, *normalised(features.embedding)],
            "pretrained_embedding": [*reference.known.pretrained, *normalised(features.pretrained_embedding)],
        }
    )
    rows = split[["image_id", "label", "split"]].merge(embeddings, on="image_id").sort_values("image_id")
    layout.lake.replace(KNOWN_EMBEDDINGS, rows.assign(model_version=model.version))
    return computed


def _contender(layout: Layout, version: str, split: pd.DataFrame, rules: DecisionSettings) -> Contender:
    model = load_model(layout, version)
    *_, audit = _ask(layout, model, split, rules)
    return Contender(version, tuple(model.classes), audit, frozenset(model.card.trained_on))


def _ask(
    layout: Layout, model: MeterModel, split: pd.DataFrame, rules: DecisionSettings
) -> tuple[np.ndarray, list[str], pd.DataFrame, pd.DataFrame]:
    """Return softmax (photos x classes), true classes, decisions and audit rows of the test photos.

    All but the audit, which is sorted by path, are in the same order. Each photo goes through the network once.
    """
    test = split[split["split"] == "test"].sort_values("image_id")
    update_features(layout.lake, LABELLED_FEATURES, model, _photos(layout, test), plates=layout.plates)
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
    return probabilities, rows["label"].tolist(), decisions, audit


def _photos(layout: Layout, split: pd.DataFrame) -> list[tuple[str, Path]]:
    return [(image_id, layout.raw / path) for image_id, path in zip(split["image_id"], split["path"], strict=True)]
