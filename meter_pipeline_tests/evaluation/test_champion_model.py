"""Who is in use: the first model comes in, the champion itself stays, and its card says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meter_pipeline.evaluation.champion_model import challenge
from meter_pipeline.recognition.model_card import champion_version
from meter_pipeline.settings import DecisionSettings, GateSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def test_the_first_model_is_put_into_use_and_stays_when_it_is_judged_again(
    drawn_model: Trained, tmp_path: Path
) -> None:
    layout, version = Layout(tmp_path / "data"), drawn_model.card.version
    shutil.copytree(drawn_model.layout.root, layout.root)
    layout.champion.unlink()
    layout.lake.replace(DATASET_SPLIT, drawn_model.split)
    first = challenge(layout, version, DecisionSettings(), GateSettings())
    assert first.accepted
    assert "first model" in first.reason
    assert champion_version(layout) == version
    content = layout.champion.read_bytes()
    again = challenge(layout, version, DecisionSettings(), GateSettings())
    assert again.reason == f"{version} is already the champion."
    assert layout.champion.read_bytes() == content
