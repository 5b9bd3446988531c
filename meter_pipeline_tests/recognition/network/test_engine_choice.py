"""Which engine a model answers by: the setting's, the one that was measured, or torch where there is no graph."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.network import engine_choice
from meter_pipeline.recognition.network.engine_choice import choose_engine
from meter_pipeline.recognition.network.engines import NETWORK, Engine, Outputs
from meter_pipeline.settings import EngineName


class Fake:
    """An engine that says what it is."""

    photos_per_pass, classes = 1, 3
    made: list[str]

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, pixels: np.ndarray) -> Outputs:
        if self.name == "onnx":
            sum(range(200_000))  # the slower one
        nothing = np.zeros((len(pixels), 3), np.float32)
        return Outputs(maps=nothing, logits=nothing, tuned=nothing, pretrained=nothing)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the engines that are made from now on; none of them is real."""
    names: list[str] = []

    def maker(name: str) -> object:
        def make(_network: Path) -> Fake:
            names.append(name)
            return Fake(name)

        return make

    monkeypatch.setattr(engine_choice, "OnnxEngine", maker("onnx"))
    monkeypatch.setattr(engine_choice, "OpenVinoEngine", maker("openvino"))
    monkeypatch.setattr(engine_choice, "_has_cuda", lambda: False)
    monkeypatch.setattr(engine_choice, "library_version", lambda _name: "1")
    return names


def installed(monkeypatch: pytest.MonkeyPatch, *, openvino: bool) -> None:
    monkeypatch.setattr(engine_choice, "_is_installed", lambda _name: openvino)


def choose(tmp_path: Path, wanted: EngineName, *, has_graph: bool = True) -> Engine:
    folder = tmp_path / "0001-abc"
    folder.mkdir(exist_ok=True)
    if has_graph:
        (folder / NETWORK).touch()
    by_torch = lambda: Fake("torch")  # noqa: E731
    return choose_engine(folder, wanted, side=8, by_torch=by_torch, measured=tmp_path / "engines.json")


def test_a_setting_names_it(tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, openvino=True)
    wanted: tuple[EngineName, ...] = ("onnx", "openvino", "torch")
    assert [choose(tmp_path, name).name for name in wanted] == list(wanted)
    assert made == ["onnx", "openvino"]


def test_by_itself_it_is_onnx_runtime_where_there_is_no_other(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, openvino=False)
    assert choose(tmp_path, "auto").name == "onnx"
    assert not (tmp_path / "engines.json").exists()
    with pytest.raises(MeterError, match=r"OpenVINO is not installed.*pip install"):
        choose(tmp_path, "openvino")


def test_the_fastest_is_measured_once_and_kept(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, openvino=True)
    assert choose(tmp_path, "auto").name == "openvino"
    assert sorted(made) == ["onnx", "openvino"]
    made.clear()
    assert choose(tmp_path, "auto").name == "openvino"
    assert made == ["openvino"]
    (tmp_path / "engines.json").write_text("damaged")
    assert choose(tmp_path, "auto").name == "openvino"


def test_torch_answers_on_a_card_and_for_models_without_a_graph(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(monkeypatch, openvino=False)
    with caplog.at_level(logging.WARNING):
        assert choose(tmp_path, "onnx", has_graph=False).name == "torch"
    assert "trained by an older version" in caplog.text
    assert made == []
    monkeypatch.setattr(engine_choice, "_has_cuda", lambda: True)
    assert choose(tmp_path, "auto").name == "torch"
