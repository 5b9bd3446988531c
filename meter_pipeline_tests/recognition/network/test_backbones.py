"""Backbones: where weights come from, and what is said where they cannot be had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from meter_pipeline.errors import WeightsError
from meter_pipeline.recognition.network import backbones
from meter_pipeline.recognition.network.backbones import OFFLINE_BACKBONE, load_architecture, load_backbone


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A loopback mirror of the weights, and an empty torch cache; the dict holds what it serves."""
    served: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(backbones.WEIGHTS_URL_VARIABLE, f"http://127.0.0.1:{server.server_port}")
    yield served
    server.shutdown()


def test_imagenet_weights_are_downloaded_once_and_checked(
    mirror: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    source = tmp_path / "source.pth"
    torch.manual_seed(1)
    torch.save(resnet18().state_dict(), source)
    content = source.read_bytes()
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setattr(backbones, "RESNET18_FILE", name)
    mirror[f"/{name}"] = content
    first = load_backbone("resnet18", "imagenet")
    mirror.clear()  # from now on only the cache can answer
    assert load_backbone("resnet18", "imagenet").weights_id == first.weights_id
    assert first.dimensions == 512


def test_a_wrong_download_is_refused_and_not_kept(mirror: dict[str, bytes], tmp_path: Path) -> None:
    mirror[f"/{backbones.RESNET18_FILE}"] = b"not the file"
    with pytest.raises(WeightsError, match="its hash differs"):
        load_backbone("resnet18", "imagenet")
    assert not list((tmp_path / "torch").rglob("*.pth"))


def test_without_the_weights_the_message_gives_three_ways_out(mirror: dict[str, bytes]) -> None:
    with pytest.raises(
        WeightsError, match=r"\(1\) run once with internet.*\(2\) set METER_WEIGHTS.*\(3\).*efficientnet"
    ):
        load_backbone("resnet18", "imagenet")


def test_the_wheel_needs_no_network(mirror: dict[str, bytes]) -> None:
    backbone = load_backbone("efficientnet_lite0", "imagenet")
    assert (backbone.dimensions, backbone.mean) == (1280, (0.5, 0.5, 0.5))
    with torch.inference_mode():
        embedding = backbone.last_block(backbone.trunk(torch.zeros(1, 3, 224, 224)))
    assert embedding.shape == (1, 1280)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_local_file_is_taken(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(2)
    state = resnet18(num_classes=5).state_dict()
    path = tmp_path / f"own{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    backbone = load_backbone("resnet18", str(path))
    assert torch.equal(backbone.trunk[0].weight, state["conv1.weight"])
    assert path.name in backbone.weights_source


def test_a_file_that_does_not_fit_or_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_backbone("resnet18", str(tmp_path / "missing.pth"))
    (tmp_path / "text.pth").write_text("hello", encoding="utf-8")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_backbone("resnet18", str(tmp_path / "text.pth"))
    torch.save({"conv1.weight": resnet18().conv1.weight.detach()}, tmp_path / "half.pth")
    with pytest.raises(WeightsError, match="lacks"):
        load_backbone("resnet18", str(tmp_path / "half.pth"))


def test_an_unknown_backbone_is_named_with_what_there_is() -> None:
    with pytest.raises(WeightsError, match=r"no backbone 'resnet19'.*resnet18"):
        load_backbone("resnet19", "none")


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "convnext_atto", "efficientnet_b0"])
def test_any_timm_backbone_splits_into_trunk_and_last_block(name: str) -> None:
    backbone = load_backbone(name, "none")
    with torch.inference_mode():
        embedding = backbone.last_block(backbone.trunk(torch.zeros(2, 3, 224, 224)))
    assert embedding.shape == (2, backbone.dimensions)


def test_no_weights_are_seeded() -> None:
    same, other = (load_backbone("resnet18", "none", seed=seed).weights_id for seed in (3, 4))
    assert load_backbone("resnet18", "none", seed=3).weights_id == same != other


@pytest.mark.parametrize("name", ["resnet10t", "efficientnet_lite0", "convnext_atto", "resnetv2_50"])
def test_trunk_and_last_block_together_are_the_whole_network(name: str) -> None:
    """A norm left out between the two would still train, on embeddings that ImageNet never made."""
    architecture = load_architecture(name)
    network: Any = architecture.network.eval()
    if name == OFFLINE_BACKBONE:  # ours: its names are those of timm's
        own, network = network, timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
        network.load_state_dict(own.state_dict())
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network.forward_head(network.forward_features(images), pre_logits=True)
        cut = architecture.last_block(architecture.trunk(images))
    assert cut.shape == (1, architecture.dimensions)
    assert torch.allclose(cut, whole, atol=1e-4)
