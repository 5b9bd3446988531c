"""The network in torch: for training, for Grad-CAM, and as the engine where there is a CUDA card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from meter_pipeline.recognition.network.backbones import load_architecture
from meter_pipeline.recognition.network.device import pick_device
from meter_pipeline.recognition.network.engines import Outputs
from meter_pipeline.recognition.network.preprocess import Preprocess

PHOTOS_PER_PASS = {"cpu": 1, "cuda": 64}
"""Photos per forward pass, by device."""


class UnfitWeightsError(ValueError):
    """Weights that belong to another network; says of which part, and how."""


@dataclass(frozen=True)
class TorchNetwork:
    """The parts of a network, frozen, on the device that they run on.

    Attributes:
        trunk: view batch -> feature maps.
        pretrained_block: feature maps -> embedding, before it was tuned.
        tuned_block: the same, as it was tuned.
        head: embedding -> logits.
        device: where all of them are.
    """

    trunk: nn.Module
    pretrained_block: nn.Module
    tuned_block: nn.Module
    head: nn.Linear
    device: torch.device

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], *, backbone: str, dimensions: int, classes: int) -> TorchNetwork:
        """Put a network together from the tensors of its weights file.

        Raises:
            UnfitWeightsError: they belong to another network.
            WeightsError: there is no such backbone.
        """
        architecture = load_architecture(backbone)
        head = nn.Linear(dimensions, classes)
        tuned_block = load_architecture(backbone).last_block
        parts = {
            "trunk": architecture.trunk,
            "pretrained_block": architecture.last_block,
            "tuned_block": tuned_block,
            "head": head,
        }
        for part, module in parts.items():
            own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise UnfitWeightsError(f"{part}: {str(error).splitlines()[-1].strip()}") from error
        device = pick_device()
        for module in parts.values():
            module.eval().requires_grad_(False).to(device)
        return cls(architecture.trunk, architecture.last_block, tuned_block, head, device)

    def parts(self) -> dict[str, nn.Module]:
        """Return the parts by the names that they have in a weights file."""
        return {
            "trunk": self.trunk,
            "pretrained_block": self.pretrained_block,
            "tuned_block": self.tuned_block,
            "head": self.head,
        }


class TorchEngine:
    """A network in torch as an engine; see `engines.Engine`.

    Args:
        network: the network.
        preprocess: how its input is normalised.
    """

    def __init__(self, network: TorchNetwork, preprocess: Preprocess) -> None:
        self._network, self._preprocess = network, preprocess
        self.photos_per_pass = PHOTOS_PER_PASS[network.device.type]
        self.classes = network.head.out_features
        self.name = "torch" if network.device.type == "cpu" else f"torch on {network.device.type}"

    def run(self, pixels: np.ndarray) -> Outputs:
        """Return what the network makes of views; see `engines.Engine`."""
        network, rows = self._network, len(pixels)
        # Filled up to whole passes: another number of views in a pass gives other last bits on a card.
        lacking = -rows % self.photos_per_pass
        padded = np.concatenate([pixels, *[pixels[:1]] * lacking]) if lacking else pixels
        with torch.inference_mode():
            maps = network.trunk(normalise(self._preprocess, padded).to(network.device))
            tuned = network.tuned_block(maps)
            found = (maps, network.head(tuned), tuned, network.pretrained_block(maps))
            of_maps, logits, of_tuned, pretrained = (part[:rows].float().cpu().numpy() for part in found)
        return Outputs(maps=of_maps, logits=logits, tuned=of_tuned, pretrained=pretrained)


def normalise(preprocess: Preprocess, pixels: np.ndarray) -> torch.Tensor:
    """Return images (n x size x size x 3, uint8) as the network's input (n x 3 x size x size, float32)."""
    images = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (preprocess.mean, preprocess.std))
    return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
