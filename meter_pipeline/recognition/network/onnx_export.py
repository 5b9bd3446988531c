"""A network as an ONNX graph, from pixels on: what serves it needs neither torch nor this project.

The graph takes views (views x side x side x 3, uint8) and normalises them itself. Any number of views at a time gives
the same bits for each.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence

import torch
from torch import nn

from meter_pipeline.recognition.network.engines import OUTPUTS, PIXELS
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import TorchNetwork

OPSET = 18
"""Version of the ONNX operators; every ONNX Runtime since 1.14 (2023) knows it."""


class _Normalised(nn.Module):
    """Pixels to the network's input."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocess.std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std


class _Whole(nn.Module):
    """The whole network, with the outputs that `OUTPUTS` names."""

    def __init__(self, network: TorchNetwork, preprocess: Preprocess) -> None:
        super().__init__()
        self.normalised = _Normalised(preprocess)
        self.trunk, self.tuned_block, self.head = network.trunk, network.tuned_block, network.head
        self.pretrained_block = network.pretrained_block

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.trunk(self.normalised(pixels))
        tuned = self.tuned_block(maps)
        return maps, self.head(tuned), tuned, self.pretrained_block(maps)


def network_to_onnx(network: TorchNetwork, preprocess: Preprocess) -> bytes:
    """Return a whole network as a graph; its input is `PIXELS`, its outputs are `OUTPUTS`."""
    return _exported(_Whole(network, preprocess), preprocess.size, OUTPUTS)


def trunk_to_onnx(trunk: nn.Module, preprocess: Preprocess) -> bytes:
    """Return a trunk as a graph with one output, its feature maps; for training, whose last block is not fixed yet."""
    return _exported(nn.Sequential(_Normalised(preprocess), trunk), preprocess.size, OUTPUTS[:1])


def _exported(network: nn.Module, side: int, outputs: Sequence[str]) -> bytes:
    network = copy.deepcopy(network).eval().cpu()
    buffer, example = io.BytesIO(), torch.zeros((1, side, side, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The newer exporter takes 8 to 19 s where this one takes 3 (0023), and gives the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[PIXELS],
            output_names=list(outputs),
            dynamic_axes={name: {0: "views"} for name in (PIXELS, *outputs)},
        )
    return buffer.getvalue()
