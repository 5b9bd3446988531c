"""The two phases: what is tuned, and what stays as it was pretrained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training import two_phase
from meter_pipeline.training.trained_model import train_model
from meter_pipeline_tests.support.patterns import split_of
from meter_pipeline_tests.support.small_models import config_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("every_s", "checkpoints"), [(1e9, 2), (0.0, 5)])
def test_what_a_kill_may_cost_is_some_seconds_not_a_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: float, checkpoints: int
) -> None:
    saved: list[Path] = []
    save = torch.save

    def counted(state: object, path: Path) -> None:
        saved.append(path)
        save(state, path)

    monkeypatch.setattr(two_phase, "CHECKPOINT_EVERY_S", every_s)
    monkeypatch.setattr(two_phase.torch, "save", counted)
    split = split_of(tmp_path / "raw", {"BLUE_A": (4, 0, 0), "GREY_A": (4, 0, 0)})
    train_model(split, Layout(tmp_path), config_for(tmp_path, epochs_head=3, epochs_tune=2, guard_folds=0))
    assert len(saved) == checkpoints


def test_the_last_block_is_tuned_and_the_pretrained_one_is_kept(model: MeterModel) -> None:
    """Once the copy that was to be tuned was frozen with the original, and phase 2 moved the head alone."""
    network = model.network_in_torch
    tuned, pretrained = network.tuned_block.state_dict(), network.pretrained_block.state_dict()
    weights = [name for name in tuned if name.endswith("weight")]
    assert any(not torch.equal(tuned[name], pretrained[name]) for name in weights)
    original = load_backbone("efficientnet_lite0", "imagenet").last_block.state_dict()
    assert all(torch.equal(pretrained[name], original[name]) for name in weights)
