"""Models on disk: what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.model_card import list_models, load_card
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.storage.files import read_json, write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def copy_of_model(layout: Layout, to: Path) -> Path:
    import shutil

    shutil.copytree(layout.models, to / "models")
    return to / "models" / list_models(layout)[0]


def test_a_card_that_does_not_fit_its_weights_is_refused(drawn_model: Trained, tmp_path: Path) -> None:
    folder = copy_of_model(drawn_model.layout, tmp_path)
    card = read_json(folder / "model.json")
    write_json(folder / "model.json", {**card, "classes": [*card["classes"], "EXTRA"]})
    with pytest.raises(WeightsError, match="card names 4 classes"):
        load_model(Layout(tmp_path))
    write_json(folder / "model.json", {**card, "weights_sha256": "0" * 64})
    with pytest.raises(WeightsError, match="not the one on the model's card"):
        load_model(Layout(tmp_path))
    (folder / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsError, match="card cannot be read"):
        load_card(Layout(tmp_path))


def test_a_damaged_or_missing_weights_file_is_refused(drawn_model: Trained, tmp_path: Path) -> None:
    folder = copy_of_model(drawn_model.layout, tmp_path)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="its hash differs"):
        load_model(Layout(tmp_path))
    weights.unlink()
    with pytest.raises(WeightsError, match="weights file is missing"):
        load_model(Layout(tmp_path))
