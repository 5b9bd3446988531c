"""The engines: all give the same answers, each view its own, and the graph needs nothing of ours."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.embeddings import normalised
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.network import engines
from meter_pipeline.recognition.network.engines import OUTPUTS, OpenVinoEngine
from meter_pipeline.settings import PROJECT_DIR, DecisionSettings, EngineName, ServingSettings
from meter_pipeline_tests.support.patterns import draw
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow

ENGINES: list[EngineName] = ["onnx", "torch"]
if find_spec("openvino"):
    ENGINES.append("openvino")


def answers_by(engine: EngineName, trained: Trained, photos: list[tuple[str, Path]]) -> tuple[MeterModel, Features]:
    serving = ServingSettings(serving_engine=engine, adaptive_views=False)
    model = load_model(trained.layout, serving=serving)
    assert model.engine.name == engine
    (features,) = extract_features(model, photos)
    return model, features


def test_all_engines_agree(drawn_model: Trained, tmp_path: Path) -> None:
    photos = []
    for number in range(24):
        path = tmp_path / f"{number}.jpg"
        draw(["BLUE_A", "GREY_A", "WHITE_A"][number % 3], 300 + number).save(path)
        photos.append((str(number), path))
    found = {engine: answers_by(engine, drawn_model, photos) for engine in ENGINES}
    _, by_torch = found["torch"]
    decided = {engine: decide(*each, DecisionSettings()) for engine, each in found.items()}
    for engine, (_, features) in found.items():
        assert [d.final_label for d in decided[engine]] == [d.final_label for d in decided["torch"]]
        scores = np.array([[d.guard_score for d in decided[name]] for name in (engine, "torch")])
        assert np.abs(scores[0] - scores[1]).max() < 1e-3
        for name in ("tuned", "pretrained"):
            ours, theirs = (normalised(getattr(each.embeddings, name)) for each in (features, by_torch))
            assert (ours * theirs).sum(axis=1).min() > 0.9999
        assert features.views.tolist() == [3] * len(photos)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_view_gives_the_same_bits_whatever_is_beside_it(drawn_model: Trained, engine: EngineName) -> None:
    model = load_model(drawn_model.layout, serving=ServingSettings(serving_engine=engine))
    views = np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3), dtype=np.uint8)
    alone = [model.engine.run(views[row : row + 1]) for row in range(3)]
    if engine == "onnx":
        together = model.engine.run(views)
        for name in ("maps", "logits", "tuned", "pretrained"):
            assert np.array_equal(getattr(together, name), np.concatenate([getattr(each, name) for each in alone]))
    assert np.array_equal(alone[0].logits, model.engine.run(views[:1]).logits)


def test_an_answer_needs_no_torch(drawn_model: Trained, tmp_path: Path) -> None:
    draw("BLUE_A", 5).save(tmp_path / "a.jpg")
    code = (
        "import sys; from pathlib import Path; from meter_pipeline.settings import load_settings;"
        "from meter_pipeline.storage.layout import Layout;"
        "from meter_pipeline.recognition.single_photo import predict_photos;"
        f"data = Path({str(drawn_model.layout.root)!r});"
        f"(said,) = predict_photos(Layout(data), [Path({str(tmp_path / 'a.jpg')!r})], load_settings(data_dir=data));"
        "assert said.decision is not None, said.error;"
        "print(sorted({'torch', 'torchvision', 'timm', 'dagster', 'duckdb'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_program_in_the_docs_names_photos_by_the_graph_alone(drawn_model: Trained, tmp_path: Path) -> None:
    program = (PROJECT_DIR / "docs" / "serving.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert len([line for line in program.splitlines() if line.strip()]) <= 20
    (tmp_path / "program.py").write_text(
        "import sys\nsys.modules |= dict.fromkeys(['torch', 'meter_pipeline', 'pandas'])\n" + program
    )
    draw("BLUE_A", 5).save(tmp_path / "a.jpg")
    folder = drawn_model.layout.models / drawn_model.card.version
    command = [sys.executable, "program.py", str(folder), "a.jpg"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 3
    model = load_model(drawn_model.layout)
    whole = replace(model.preprocess, views=("squeezed",))
    logits = model.engine.run(whole.framed_pixels(model.preprocess.open(tmp_path / "a.jpg"))).logits[0]
    assert said[0].startswith(f"a.jpg: {model.classes[int(logits.argmax())]} ")


class Counting:
    """Stands in for a library's request or session; counts how many are at work at once, call by call."""

    def __init__(self) -> None:
        self.at_work = 0
        self.most: list[int] = []

    def create_infer_request(self) -> Counting:
        return self

    def infer(self, _pixels: object) -> dict[str, np.ndarray]:
        self.at_work += 1
        self.most.append(self.at_work)
        time.sleep(0.2)
        self.at_work -= 1
        return {name: np.zeros((1, 2), np.float32) for name in OUTPUTS}

    def run(self, _names: object, pixels: object) -> list[np.ndarray]:
        return list(self.infer(pixels).values())

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in OUTPUTS]


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "torch"])
def test_the_first_pass_of_a_process_is_made_alone_and_later_ones_side_by_side(
    drawn_model: Trained, engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two first passes at once by OpenVINO waited for each other's locks, and a run hung for ever."""
    monkeypatch.setattr(engines, "_passed", set())
    counting, began = Counting(), threading.Barrier(4)
    two = [load_model(drawn_model.layout, serving=ServingSettings(serving_engine=engine)).engine for _ in range(2)]
    for each in two:
        stood_in = each if isinstance(each, OpenVinoEngine) else each._graph  # type: ignore[attr-defined]
        monkeypatch.setattr(stood_in, "_network" if engine == "openvino" else "_session", counting)

    def look(number: int) -> None:
        began.wait()
        two[number % 2].run(np.zeros((1, 8, 8, 3), np.uint8))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(look, range(4)))
    assert counting.most[:2] == [1, 1], "the second begins after the first has ended"
    assert max(counting.most) > 1
