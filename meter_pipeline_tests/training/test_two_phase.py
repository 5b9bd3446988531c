"""The two phases: what is tuned, and what stays as it was pretrained."""

from __future__ import annotations

import pytest
import torch

from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.backbones import load_backbone

pytestmark = pytest.mark.slow


def test_the_last_block_is_tuned_and_the_pretrained_one_is_kept(model: MeterModel) -> None:
    """Once the copy that was to be tuned was frozen with the original, and phase 2 moved the head alone."""
    network = model.network_in_torch
    tuned, pretrained = network.tuned_block.state_dict(), network.pretrained_block.state_dict()
    weights = [name for name in tuned if name.endswith("weight")]
    assert any(not torch.equal(tuned[name], pretrained[name]) for name in weights)
    original = load_backbone("efficientnet_lite0", "imagenet").last_block.state_dict()
    assert all(torch.equal(pretrained[name], original[name]) for name in weights)
