"""The challenger against the model in use, on the same test photos: the gate decides which one is used from now on."""

from __future__ import annotations

import logging

import pandas as pd

from meter_pipeline.evaluation.answers import ask_test_photos
from meter_pipeline.evaluation.gate import Contender, Verdict, judge
from meter_pipeline.recognition.model_card import champion_version, set_champion
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import DecisionSettings, GateSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT

_logger = logging.getLogger(__name__)


def challenge(layout: Layout, version: str, rules: DecisionSettings, gate: GateSettings) -> Verdict:
    """Let a model challenge the champion on today's test photos, and put it in use if it is no worse.

    Args:
        layout: the data directory.
        version: the challenger.
        rules: what makes a photo UNKNOWN or DARK.
        gate: what the challenger may lose and still win.

    Returns:
        What the gate decided, and why.

    Raises:
        MeterError: a model gives numbers that are not finite.
    """
    split = layout.lake.frame(DATASET_SPLIT)
    current = champion_version(layout)
    challenger = _contender(layout, version, split, rules)
    champion = _contender(layout, current, split, rules) if current else None
    verdict = judge(
        challenger,
        champion,
        tolerance=gate.champion_tolerance,
        allow_dropped_classes=gate.allow_dropped_classes,
    )
    _logger.info("%s: %s", "Accepted" if verdict.accepted else "Not accepted", verdict.reason)
    if verdict.accepted and current != version:
        set_champion(layout, version, reason=verdict.reason)
    return verdict


def _contender(layout: Layout, version: str, split: pd.DataFrame, rules: DecisionSettings) -> Contender:
    model = load_model(layout, version)
    audit = ask_test_photos(layout, model, split, rules).audit
    return Contender(version, tuple(model.classes), audit, frozenset(model.card.trained_on))
