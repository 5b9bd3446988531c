"""A model trained from the photos of a split: both phases, what a kill leaves, and what is not a data set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.errors import DataSetError
from meter_pipeline.recognition.features import extract_features
from meter_pipeline.recognition.model_card import WEIGHTS, ModelCard, list_models, load_card
from meter_pipeline.recognition.model_files import model_problems
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES, IMAGE_INVENTORY, LABELLED_FEATURES, PROMOTED_IMAGES
from meter_pipeline.training.trained_model import train_model
from meter_pipeline.training.two_phase import EpochRecord
from meter_pipeline_tests.support.patterns import split_of
from meter_pipeline_tests.support.small_models import COUNTS, Trained, config_for

pytestmark = pytest.mark.slow


def test_both_phases_are_trained_and_the_model_knows_its_classes(
    drawn_model: Trained,
) -> None:
    layout, split, card, epochs = drawn_model
    assert [(e.phase, e.epoch) for e in epochs] == [("head", 1), ("head", 2), ("head", 3), ("tune", 1), ("tune", 2)]
    assert card.classes == sorted(COUNTS)
    assert card.counts == {"train": 25, "val": 3, "test": 6}
    test = split[split["split"] == "test"]
    predictions = predict_photos(
        layout, [layout.raw / path for path in test["path"]], load_settings(data_dir=layout.root)
    )
    assert [p.decision and p.decision.best.class_name for p in predictions] == test["label"].tolist()


def test_the_same_photos_and_settings_are_not_trained_again(
    drawn_model: Trained,
) -> None:
    layout, split, card, _ = drawn_model
    epochs: list[EpochRecord] = []
    again = train_model(split.sample(frac=1, random_state=1), layout, config_for(layout.root), on_epoch=epochs.append)
    assert (again.version, epochs) == (card.version, [])


def test_a_killed_training_goes_on_and_gives_the_same_weights(drawn_model: Trained, tmp_path: Path) -> None:
    _, _, undisturbed, _ = drawn_model
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from meter_pipeline.storage.layout import Layout
        from meter_pipeline.training.trained_model import train_model
        from meter_pipeline_tests.support.patterns import split_of
        from meter_pipeline_tests.support.small_models import COUNTS, config_for
        layout = Layout(Path(sys.argv[1]))
        slow = sys.argv[2] == "slow"
        def on_epoch(record):
            print(record.phase, record.epoch, flush=True)
            time.sleep(0.5 if slow else 0)
        card = train_model(split_of(layout.raw, COUNTS), layout, config_for(layout.root), on_epoch=on_epoch)
        print("weights", card.weights_sha256, flush=True)
    """)
    command = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen([*command, "slow"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("tune 1"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list_models(Layout(tmp_path)) == []
    output = subprocess.run([*command, "quick"], capture_output=True, text=True, check=True).stdout.split("\n")
    assert "head 1" not in output
    assert f"weights {undisturbed.weights_sha256}" in output
    assert not list((tmp_path / "models").glob(".training-*"))


@pytest.mark.parametrize("counts", [{}, {"BLUE_A": (5, 0, 0)}])
def test_too_few_classes_are_refused(tmp_path: Path, counts: dict[str, tuple[int, int, int]]) -> None:
    with pytest.raises(DataSetError):
        train_model(split_of(tmp_path / "raw", counts), Layout(tmp_path), config_for(tmp_path))


def test_a_class_of_one_photo_and_no_val_set_can_be_trained(tmp_path: Path) -> None:
    split = split_of(tmp_path / "raw", {"BLUE_A": (4, 0, 0), "GREY_A": (1, 0, 0)})
    card = train_model(split, Layout(tmp_path), config_for(tmp_path, epochs_tune=1))
    assert card.classes == ["BLUE_A", "GREY_A"]
    assert "Off" in card.guard["note"]


def test_classes_that_wait_are_on_the_card_and_change_no_model(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    split = split_of(layout.raw, {"BLUE_A": (4, 0, 0), "GREY_A": (4, 0, 0)})
    config = config_for(tmp_path, epochs_head=1, epochs_tune=0, guard_folds=0)

    def train(meters: int) -> ModelCard:
        rows = [
            {"path": f"NEW/{n}.jpg", "label": "NEW", "group_id": f"g{n}", "origin": "promoted"} for n in range(meters)
        ]
        layout.lake.replace(IMAGE_INVENTORY, pd.DataFrame(rows).reindex(columns=list(IMAGE_INVENTORY.columns)))
        promoted = pd.DataFrame([{"image_id": "a", "label": "NEW", "status": "promoted", "class_meters_needed": 3}])
        layout.lake.replace(PROMOTED_IMAGES, promoted.reindex(columns=list(PROMOTED_IMAGES.columns)))
        return train_model(split, layout, config)

    one = train(meters=1)
    assert one.waiting == {"NEW": {"meters": 1, "needed": 3, "photos": 1}}
    two = train(meters=2)
    assert (two.version, two.weights_sha256) == (one.version, one.weights_sha256)
    assert load_card(layout, one.version).waiting == {"NEW": {"meters": 2, "needed": 3, "photos": 2}}
    for spec in (IMAGE_FEATURES, LABELLED_FEATURES):
        rows = [{"image_id": "a", "model_version": version} for version in (one.version, "0007-12345678")]
        layout.lake.replace(spec, pd.DataFrame(rows).reindex(columns=list(spec.columns)).astype(object))
    (layout.models / one.version / WEIGHTS).write_bytes(b"rotten")
    again = train(meters=2)
    assert (again.version, again.files) == (one.version, one.files)
    assert model_problems(layout.models / one.version) == [], "it was put aside and trained again"
    for spec in (IMAGE_FEATURES, LABELLED_FEATURES):
        assert layout.lake.frame(spec)["model_version"].tolist() == ["0007-12345678"], "features of lost weights"


def test_a_backbone_without_feature_maps_looks_at_the_middle_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout = Layout(tmp_path)
    split = split_of(layout.raw, {"BLUE_A": (3, 0, 1), "GREY_A": (3, 0, 1)})
    small = {"backbone": "vit_tiny_patch16_224", "weights": "none", "epochs_head": 1, "epochs_tune": 0}
    config = TrainingSettings.from_settings(load_settings(data_dir=tmp_path, train_views=4, guard_folds=0, **small))
    card = train_model(split, layout, config)
    assert card.preprocess["direction"] == ()
    assert card.as_dict()["preprocess"]["direction"] == "0 numbers"
    assert "On 6 of 6 photos nothing tells the meter from what is around it" in caplog.text
    model = load_model(layout, card.version)
    features = next(extract_features(model, [("a", layout.raw / split["path"][0])]))
    assert np.isfinite(features.logits).all()
