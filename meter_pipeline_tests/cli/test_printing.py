"""What `meter predict` prints: fields that other programs read, and lines for people."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from meter_pipeline.cli.printing import print_predictions
from meter_pipeline.photos.quality import Quality
from meter_pipeline.recognition.single_photo import Prediction
from meter_pipeline_tests.support.decisions import decided

QUALITY = Quality(brightness=120.5, contrast=40.0, sharpness=300.0, glare=0.0, green_ratio=0.25)
NAMED = Prediction(
    image="meter [1].jpg",
    decision=decided("id", {"LT2": 2 / 3, "HPL": 0.25, "GENUS1": 0.05, "SECURE": 0.03}),
    quality=QUALITY,
    model_version="0001-abc",
)
BROKEN = Prediction(image="text.jpg", error="This is not a photo.")


def test_programs_get_the_same_fields_for_every_photo(capsys: pytest.CaptureFixture[str]) -> None:
    print_predictions([NAMED, BROKEN], Console(), as_json=True)
    named, broken = json.loads(capsys.readouterr().out)
    assert named == {
        "image": "meter [1].jpg",
        "final_prediction": "LT2",
        "confidence": 0.666667,
        "top3": [["LT2", 0.666667], ["HPL", 0.25], ["GENUS1", 0.05]],
        "rule": "accepted",
        "reason": "LT2 with 66.7%.",
        "nearest_known": None,
        "nearest_known_class": None,
        "guard_score": 0.5,
        "calibrated_confidence": 0.8,
        "quality": {"brightness": 120.5, "contrast": 40.0, "sharpness": 300.0, "glare": 0.0, "green_ratio": 0.25},
        "model_version": "0001-abc",
    }
    assert list(broken) == list(named)
    assert (broken["final_prediction"], broken["rule"], broken["top3"]) == ("ERROR", "error", [])
    assert broken["reason"] == "This is not a photo."
    assert broken["confidence"] is None


def test_people_get_the_label_the_reason_and_a_bar_per_guess() -> None:
    paper = io.StringIO()
    print_predictions([NAMED, BROKEN], Console(file=paper, width=200), as_json=False)
    lines = paper.getvalue().splitlines()
    assert lines[:2] == ["meter [1].jpg: LT2", "  LT2 with 66.7%."]
    assert lines[2].split() == ["1.", "LT2", "66.67%", "█" * 20]
    assert lines[-2:] == ["text.jpg: ERROR", "  This is not a photo."]
