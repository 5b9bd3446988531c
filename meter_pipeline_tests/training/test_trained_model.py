"""A model trained from the photos of a split: both phases, what a kill leaves, and what makes no data set."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from meter_pipeline.errors import DataSetError
from meter_pipeline.recognition.model_card import list_models
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout
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


def test_the_last_block_is_tuned_and_the_pretrained_one_is_kept(model: MeterModel) -> None:
    """Once the copy that was to be tuned was frozen with the original, and phase 2 moved the head alone."""
    tuned, pretrained = model.tuned_block.state_dict(), model.pretrained_block.state_dict()
    weights = [name for name in tuned if name.endswith("weight")]
    assert any(not torch.equal(tuned[name], pretrained[name]) for name in weights)
    original = load_backbone("efficientnet_lite0", "imagenet").last_block.state_dict()
    assert all(torch.equal(pretrained[name], original[name]) for name in weights)


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


def test_the_card_says_what_a_person_needs(
    drawn_model: Trained,
) -> None:
    layout, _, card, _ = drawn_model
    stored = json.loads((layout.models / card.version / "model.json").read_text(encoding="utf-8"))
    assert {"classes", "backbone", "preprocess_id", "data_version", "config", "metrics", "libraries"} <= set(stored)
    assert stored["libraries"]["torch"]
    assert time.strptime(stored["created_at"][:19], "%Y-%m-%dT%H:%M:%S")
