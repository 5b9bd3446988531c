"""Our own ResNet18 and EfficientNet-Lite0: the names, the order and the bits of torchvision's and timm's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from meter_pipeline.recognition.network.architectures import EfficientNetLite0, ResNet18


def _as_in_use(network: nn.Module) -> nn.Module:
    """Give batch norms statistics as after a training, so that none is the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("side", [224, 193])
def test_resnet18_gives_the_bits_of_torchvisions(side: int) -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    own, library = _as_in_use(ResNet18()), resnet18().eval()
    assert list(own.state_dict()) == list(library.state_dict())
    library.load_state_dict(own.state_dict())
    images = torch.randn(2, 3, side, side)
    assert isinstance(own, ResNet18)
    trunk, last = own.parts()
    with torch.inference_mode():
        expected: Any = library.maxpool(library.relu(library.bn1(library.conv1(images))))
        expected = library.layer3(library.layer2(library.layer1(expected)))
        found = trunk(images)
        assert torch.equal(found, expected)
        assert torch.equal(last(found), library.layer4(expected))


@pytest.mark.slow
@pytest.mark.parametrize("side", [224, 193])
def test_efficientnet_lite0_gives_the_bits_of_timms(side: int) -> None:
    import timm

    torch.manual_seed(0)
    own, library = _as_in_use(EfficientNetLite0()), timm.create_model("tf_efficientnet_lite0").eval()
    assert list(own.state_dict()) == list(library.state_dict())
    library.load_state_dict(own.state_dict())
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        maps = images
        for module in (own.conv_stem, own.bn1, own.blocks, own.conv_head, own.bn2):
            maps = module(maps)
        assert torch.equal(maps, library.forward_features(images))


def test_the_two_backbones_need_neither_library() -> None:
    script = (
        "import sys; from meter_pipeline.recognition.network.backbones import load_backbone;"
        "[load_backbone(name, 'none') for name in ('resnet18', 'efficientnet_lite0')];"
        "print([name for name in ('timm', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
