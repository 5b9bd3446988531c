"""Training on kept outputs, with the folds that measure the guard, beside the plain loop on the same photos.

    python benchmarks/training.py [--photos 400] [--classes 16] [--seeds 0 1] [--lean] [--work DIR]

Photos are drawn; four of five of each class are trained on, the rest is val. Each side is a process of its own, and
its start-up counts:

- ours: `train_model` with three guard folds into an empty data directory; nothing is kept from before.
- ours, outputs kept: the same photos again under another setting, as when a model is trained anew.
- plain loop: as many epochs of as many samples (three views of each photo), no folds: each epoch decodes and augments
  every photo again and puts it through the whole network; torch on its own threads; val by three views each epoch.
- plain loop, lean (`--lean`): one view of each photo and epoch, and one view at val.

Seconds of the processor are what to compare where a machine has other work.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

BACKBONE = "efficientnet_lite0"
EPOCHS_HEAD, EPOCHS_TUNE, BATCH = 6, 8, 32
FOLDS = 3
VAL_EVERY = 5
"""One photo of so many is val."""
VIEWS = ("squeezed", "centre", "zoomed")
GOAL = 3.0
"""Times faster than the plain loop, asked for by issue 21."""
OURS, KEPT, PLAIN, LEAN = "ours, with folds", "ours, outputs kept", "plain loop", "plain loop, lean"


@dataclass
class Side:
    """What the runs of one way took and came to, one entry per seed."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--classes", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--lean", action="store_true", help="also the plain loop with one view per photo and epoch")
    parser.add_argument("--work", type=Path, help="keep the drawn photos here")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.work, arguments.seeds[0])
        return
    work = arguments.work or Path(tempfile.mkdtemp(prefix="training-"))
    try:
        draw(work, arguments.photos, arguments.classes)
        sides = {name: Side() for name in (OURS, KEPT, PLAIN, *([LEAN] if arguments.lean else []))}
        for seed in arguments.seeds:
            shutil.rmtree(work / "data", ignore_errors=True)
            for name, side in sides.items():
                measure(name, side, work, seed)
        show(sides, arguments.photos, arguments.classes)
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)


def draw(work: Path, photos: int, classes: int) -> None:
    """Draw the photos that are not there yet, and write which are trained on."""
    from meter_pipeline.demo.drawing.designs import known_designs
    from meter_pipeline.demo.drawing.photo import Shot
    from meter_pipeline.demo.photo_files import PhotoFile, draw_photo_files

    files = [
        PhotoFile(f"raw/{design.name}/{number:03d}.jpg", Shot(design, f"training {design.name} {number}", "first"))
        for design in known_designs()[:classes]
        for number in range(photos // classes)
    ]
    draw_photo_files(work, files)
    rows = []
    for file in files:
        _, label, name = file.path.split("/")
        number, image_id = int(Path(name).stem), f"{label.lower()}{Path(name).stem}"
        part = "val" if number % VAL_EVERY == VAL_EVERY - 1 else "train"
        rows.append((image_id, f"{label}/{name}", label, image_id, part, "drawn for a benchmark"))
    table = pd.DataFrame(rows, columns=["image_id", "path", "label", "group_id", "split", "rule"])
    table.to_csv(work / "split.csv", index=False)


def measure(name: str, side: Side, work: Path, seed: int) -> None:
    """Run one way in a process of its own."""
    before, began = _processor_s(), time.monotonic()
    command = [sys.executable, __file__, "--side", name, "--work", str(work), "--seeds", str(seed)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("METER_")}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    side.seconds.append(time.monotonic() - began)
    side.processor.append(_processor_s() - before)
    said = json.loads(done.stdout.splitlines()[-1])
    side.accuracy.append(said["val_accuracy"])
    print(f"seed {seed}, {name}: {side.seconds[-1]:.0f} s, {side.processor[-1]:.0f} s of processor, {said}", flush=True)


def run_side(name: str, work: Path, seed: int) -> None:
    """Run one way in this process, and print what it came to."""
    split = pd.read_csv(work / "split.csv", dtype=str)
    if name in (OURS, KEPT):
        found = run_ours(split, work, seed, known_flagged=0.05 if name == OURS else 0.06)
    else:
        found = run_plain(split, work, seed, views=VIEWS[:1] if name == LEAN else VIEWS)
    print(json.dumps(found))


def run_ours(split: pd.DataFrame, work: Path, seed: int, *, known_flagged: float) -> dict[str, float]:
    """Train a model as `meter train` does."""
    from meter_pipeline.settings import TrainingSettings, load_settings
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.training.trained_model import train_model

    layout = Layout(work / "data")
    layout.root.mkdir(exist_ok=True)
    if not layout.raw.exists():
        layout.raw.symlink_to(work / "raw", target_is_directory=True)
    epochs = {"epochs_head": EPOCHS_HEAD, "epochs_tune": EPOCHS_TUNE, "batch_size": BATCH}
    settings = load_settings(
        data_dir=layout.root,
        backbone=BACKBONE,
        guard_folds=FOLDS,
        guard_known_flagged=known_flagged,
        seed=seed,
        **epochs,
    )
    card = train_model(split, layout, TrainingSettings.from_settings(settings))
    return {"val_accuracy": float(card.metrics["val_accuracy"]), "hidden_caught": float(card.guard["hidden_caught"])}


def run_plain(split: pd.DataFrame, work: Path, seed: int, *, views: tuple[str, ...]) -> dict[str, float]:
    """Train head and last block the plain way: every epoch decodes, augments, and runs the whole network."""
    import torch
    from torch.nn import functional

    from meter_pipeline.recognition.network.backbones import load_backbone
    from meter_pipeline.recognition.network.preprocess import Preprocess
    from meter_pipeline.recognition.network.torch_network import normalise
    from meter_pipeline.training.augmentation import at_working_size, augmented

    backbone = load_backbone(BACKBONE, "imagenet", seed=seed)
    preprocess = Preprocess(backbone.mean, backbone.std, views=views)
    classes = sorted(split["label"].unique())
    rows = {part: list(split[split["split"] == part].itertuples()) for part in ("train", "val")}
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    head = torch.nn.Linear(backbone.dimensions, len(classes))
    trunk, block = backbone.trunk.requires_grad_(False).eval(), backbone.last_block.eval()
    best: tuple[float, float] = (float("inf"), 0.0)

    def batches(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        samples = [(row, view) for row in rows["train"] for view in range(len(views))]
        order = random.permutation(len(samples))
        for start in range(0, len(order), BATCH):
            pixels, labels = [], []
            for place in order[start : start + BATCH]:
                row, view = samples[place]
                image = at_working_size(preprocess.open(work / "raw" / row.path))
                image = augmented(image, row.image_id, epoch * len(views) + view, seed)
                pixels.append(np.asarray(preprocess.view(image, views[view])))
                labels.append(classes.index(row.label))
            yield normalise(preprocess, np.stack(pixels)), torch.tensor(labels)

    def validate() -> tuple[float, float]:
        logits = []
        with torch.inference_mode():
            for row in rows["val"]:
                pixels = preprocess.framed_pixels(preprocess.open(work / "raw" / row.path))
                logits.append(head(block(trunk(normalise(preprocess, pixels)))).mean(dim=0))
        said, labels = torch.stack(logits), torch.tensor([classes.index(row.label) for row in rows["val"]])
        return float(functional.cross_entropy(said, labels)), float((said.argmax(1) == labels).float().mean())

    for epochs, first, rate in ((EPOCHS_HEAD, 0, 3e-3), (EPOCHS_TUNE, EPOCHS_HEAD, 1e-3)):
        tuned = first > 0
        block.requires_grad_(tuned)
        parameters = [*head.parameters(), *(block.parameters() if tuned else [])]
        optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
        steps = epochs * -(-len(rows["train"]) * len(views) // BATCH)
        rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for epoch in range(first, first + epochs):
            for images, labels in batches(epoch):
                with torch.no_grad():
                    maps = trunk(images)
                loss = functional.cross_entropy(head(functional.dropout(block(maps), 0.2)), labels)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                rates.step()
            best = min(best, validate())
    return {"val_accuracy": best[1]}


def show(sides: dict[str, Side], photos: int, classes: int) -> None:
    """Print the table: medians over the seeds, and how often ours fits into the plain loop."""
    ours = sides[OURS]
    print(f"\n{photos} photos of {classes} classes, {BACKBONE}, {FOLDS} folds; median of {len(ours.seconds)} seed(s)\n")
    print("| way | seconds | of the processor | times ours: seconds | of the processor | val accuracy, each seed |")
    print("|---|---|---|---|---|---|")
    for name, side in sides.items():
        wall, processor = statistics.median(side.seconds), statistics.median(side.processor)
        times = (wall / statistics.median(ours.seconds), processor / statistics.median(ours.processor))
        accuracies = ", ".join(f"{value:.3f}" for value in side.accuracy)
        print(f"| {name} | {wall:.0f} | {processor:.0f} | {times[0]:.2f} | {times[1]:.2f} | {accuracies} |")
    print(f"\nAsked for: the plain loop takes {GOAL:g} times ours, at equal val accuracy.")


def _processor_s() -> float:
    """Return the seconds that child processes which have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
