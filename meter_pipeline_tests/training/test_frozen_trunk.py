"""The frozen trunk: the same numbers for a view whatever is beside it, and a clear word where there is no graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import normalise
from meter_pipeline.training.frozen_trunk import FrozenTrunk

CPU = torch.device("cpu")


@pytest.mark.slow
def test_a_view_gets_the_same_bits_in_any_company_and_torchs_numbers(
    backbone: Backbone, preprocess: Preprocess
) -> None:
    trunk = FrozenTrunk(backbone.trunk, backbone.name, preprocess, CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), np.uint8)
    maps = trunk.maps(pixels)
    assert maps.dtype == np.float16
    assert np.array_equal(trunk.maps(pixels[3:4])[0], maps[3])
    with torch.inference_mode():
        expected = backbone.trunk(normalise(preprocess, pixels)).numpy()
    assert np.allclose(maps.astype(np.float32), expected, atol=0.01)


def test_a_trunk_without_a_graph_is_refused_with_what_to_do(preprocess: Preprocess) -> None:
    class Odd(nn.Module):
        def forward(self, _images: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError("an operator that ONNX lacks")

    trunk = FrozenTrunk(Odd(), "odd_net", preprocess, CPU)
    with pytest.raises(WeightsError, match=r"odd_net cannot be written as an ONNX graph.*lacks"):
        trunk.maps(np.zeros((1, 224, 224, 3), np.uint8))
