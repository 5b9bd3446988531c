"""Models on disk: what does not fit together is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.model_card import WEIGHTS, list_models, save_card
from meter_pipeline.recognition.model_store import HELD_OUT, REFERENCE, check_model, load_held_out, load_model
from meter_pipeline.recognition.network.engines import NETWORK
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def copy_of_model(layout: Layout, to: Path) -> Path:
    import shutil

    shutil.copytree(layout.models, to / "models")
    return to / "models" / list_models(layout)[0]


def test_a_card_that_does_not_fit_its_weights_is_refused(drawn_model: Trained, tmp_path: Path) -> None:
    folder = copy_of_model(drawn_model.layout, tmp_path)
    save_card(folder, replace(drawn_model.card, classes=[*drawn_model.card.classes, "EXTRA"]))
    with pytest.raises(WeightsError, match="card names 4 classes"):
        _ = load_model(Layout(tmp_path)).engine
    with pytest.raises(WeightsError, match="card names 4 classes"):
        _ = load_model(Layout(tmp_path)).network_in_torch
    save_card(folder, replace(drawn_model.card, preprocess_id="0"))
    with pytest.raises(WeightsError, match="preprocess id"):
        load_model(Layout(tmp_path))
    save_card(folder, replace(drawn_model.card, files={WEIGHTS: drawn_model.card.weights_sha256}))
    with pytest.raises(WeightsError, match="not on the model's card"):
        load_model(Layout(tmp_path))


def test_a_file_that_is_damaged_after_the_model_was_loaded_is_refused(drawn_model: Trained, tmp_path: Path) -> None:
    folder = copy_of_model(drawn_model.layout, tmp_path)
    assert load_model(Layout(tmp_path)) is load_model(Layout(tmp_path))
    weights, reference = folder / WEIGHTS, folder / REFERENCE
    content = reference.read_bytes()
    reference.write_bytes(bytes(len(content)))
    with pytest.raises(WeightsError, match=f"{REFERENCE} does not hold what was written"):
        load_model(Layout(tmp_path))
    reference.write_bytes(content)
    weights.unlink()
    with pytest.raises(WeightsError, match=f"{WEIGHTS} is missing"):
        _ = load_model(Layout(tmp_path)).network_in_torch
    with pytest.raises(WeightsError, match=f"{WEIGHTS} is missing"):
        check_model(Layout(tmp_path), drawn_model.card.version)
    (folder / NETWORK).write_bytes(b"no graph")
    with pytest.raises(WeightsError, match=f"{NETWORK} does not hold what was written"):
        _ = load_model(Layout(tmp_path)).engine
    (folder / HELD_OUT).write_bytes(b"PAR1")
    with pytest.raises(WeightsError, match=HELD_OUT):
        load_held_out(Layout(tmp_path), drawn_model.card.version)
