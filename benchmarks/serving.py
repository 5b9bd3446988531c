"""What puts photos through the network, and what naming one photo costs: ONNX Runtime and OpenVINO beside torch.

    python benchmarks/serving.py [--backbone efficientnet_lite0] [--passes 96] [--work DIR]

A small model is trained on drawn photos. Printed are forward passes a second on tensors in memory (each engine on one
thread for each core, as we use it, and torch on threads of its own, as a plain script does), and the time, processor
time and memory of `meter predict` on one photo, with the model's files read before.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.settings import PROJECT_DIR, EngineName, ServingSettings, TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model

CORES = os.cpu_count() or 1
RUNS = 3
PHOTOS_PER_CLASS, CLASSES = 12, 4
MEASURED = """
import json, resource, subprocess, sys, time
begun = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "seconds": round(seconds, 2),
    "processor s": round(used.ru_utime + used.ru_stime, 2),
    "peak MB": used.ru_maxrss // 1024,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--passes", type=int, default=96)
    parser.add_argument("--work", type=Path, help="keep the data directory here")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    work = arguments.work or Path(tempfile.mkdtemp(prefix="serving-"))
    try:
        layout = small_model(work, arguments.backbone)
        print(rates(layout, arguments.passes).to_string(index=False))
        print(predictions(layout, work / "photo.jpg").to_string(index=False))
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)


def small_model(work: Path, backbone: str) -> Layout:
    """Train a model of drawn patterns and put it into use."""
    layout, random, rows = Layout(work / "data"), np.random.default_rng(0), []
    for label in range(CLASSES):
        base = random.integers(0, 255, (12, 9, 3))
        for number in range(PHOTOS_PER_CLASS):
            noisy = (base + random.integers(-25, 25, base.shape)).clip(0, 255).astype(np.uint8)
            path = layout.raw / f"CLASS_{label}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noisy).resize((900, 1200), Image.Resampling.BICUBIC).save(path, quality=88)
            name = f"{label}-{number}"
            rows.append({"image_id": name, "label": f"CLASS_{label}", "group_id": name, "split": "train", "path": path})
    split = pd.DataFrame(rows).assign(path=lambda each: [str(path.relative_to(layout.raw)) for path in each["path"]])
    weights = "none" if backbone == "resnet18" else "imagenet"
    short = {"epochs_head": 2, "epochs_tune": 1, "train_views": 3, "guard_folds": 0}
    card = train_model(split, layout, TrainingSettings(backbone=backbone, weights=weights, **short))
    set_champion(layout, card.version, reason="for a benchmark")
    shutil.copyfile(layout.raw / rows[0]["path"], work / "photo.jpg")
    return layout


def rates(layout: Layout, passes: int) -> pd.DataFrame:
    """Return forward passes a second on tensors in memory, and the processor time of one."""
    import torch

    views = np.random.default_rng(1).integers(0, 255, (passes, 224, 224, 3), dtype=np.uint8)
    found = []
    for name in ("onnx", "openvino", "torch"):
        try:
            model = load_model(layout, serving=engine(name))
            run = model.engine.run
        except Exception as error:
            print(f"{name}: not measured ({error})")
            continue
        torch.set_num_threads(1)

        def ours(run: Callable[[np.ndarray], object] = run) -> None:
            with ThreadPoolExecutor(CORES) as pool:
                list(pool.map(run, [views[row : row + 1] for row in range(passes)]))

        found.append(timed(f"{name}, a thread for each core", ours, passes))
    torch.set_num_threads(CORES)
    plain = load_model(layout, serving=engine("torch"))
    for batch in (1, 12):
        found.append(timed(f"torch, its own {CORES} threads, batch {batch}", in_batches(plain, views, batch), passes))
    table = pd.DataFrame(found)
    return table.assign(**{"times torch, batch 1": (table["passes/s"] / table["passes/s"].iloc[-2]).round(2)})


def engine(name: str) -> ServingSettings:
    return ServingSettings(serving_engine=as_engine(name), adaptive_views=False)


def as_engine(name: str) -> EngineName:
    assert name in ("onnx", "openvino", "torch")
    return name


def in_batches(model: MeterModel, views: np.ndarray, size: int) -> Callable[[], None]:
    def run() -> None:
        for start in range(0, len(views), size):
            model.engine.run(views[start : start + size])

    return run


def timed(what: str, run: Callable[[], None], passes: int) -> dict[str, object]:
    run()
    begun, used = time.monotonic(), time.process_time()
    run()
    seconds, used = time.monotonic() - begun, time.process_time() - used
    return {"": what, "passes/s": round(passes / seconds, 1), "processor ms a pass": round(1000 * used / passes, 1)}


def predictions(layout: Layout, photo: Path) -> pd.DataFrame:
    """Return what `meter predict` on one photo takes, the best of several runs after one that is not counted."""
    found = []
    for name in ("onnx", "torch"):
        runs = [predict(layout, photo, name) for _ in range(1 + RUNS)][1:]
        best = min(runs, key=lambda each: each["processor s"])
        found.append({"": f"meter predict by {name}", **best})
    return pd.DataFrame(found)


def predict(layout: Layout, photo: Path, name: str) -> dict[str, float]:
    """Run the command in a child of a child, whose use of the machine is its own."""
    environment = {**os.environ, "METER_DATA_DIR": str(layout.root), "METER_SERVING_ENGINE": name}
    command = [sys.executable, "-m", "meter_pipeline.cli", "predict", str(photo), "--json"]
    said = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], env=environment, cwd=PROJECT_DIR, capture_output=True, check=True
    )
    return dict(json.loads(said.stdout))


if __name__ == "__main__":
    main()
