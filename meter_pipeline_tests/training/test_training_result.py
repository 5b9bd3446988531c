"""What a training came to, as the card of its model tells it."""

from __future__ import annotations

import json
import time

import pytest

from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def test_the_card_says_what_a_person_needs(
    drawn_model: Trained,
) -> None:
    layout, _, card, _ = drawn_model
    stored = json.loads((layout.models / card.version / "model.json").read_text(encoding="utf-8"))
    assert {"classes", "backbone", "preprocess_id", "data_version", "config", "metrics", "libraries"} <= set(stored)
    assert stored["libraries"]["torch"]
    assert time.strptime(stored["created_at"][:19], "%Y-%m-%dT%H:%M:%S")
