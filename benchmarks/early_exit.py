"""What adaptive views save, and what they change: the same photos with all views and with as many as they need.

    python benchmarks/early_exit.py ../shared/field-photos [--sets 6] [--first 0]

A set is a data set of its own size and mix: some of the known classes, some of their photos; the classes left out stand
beside the unseen designs and the junk. Two thirds of each class's groups are trained on, the others are asked about.
Printed are, by set, how many photos need no closer views, how often the final label is another one, and how many unseen
photos are caught both ways.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from meter_pipeline.labels import FinalLabel
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import DecisionSettings, ServingSettings, TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model

BACKBONE = "efficientnet_lite0"
MIXES = ((1.0, 1.0), (0.6, 1.0), (0.8, 0.5), (1.0, 0.7), (0.5, 0.8), (0.7, 0.6))
"""Of each set the share of the classes that are known, and of their groups that are there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--sets", type=int, default=len(MIXES))
    parser.add_argument("--first", type=int, default=0, help="number of the first set")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    photos = pd.read_csv(arguments.photos / "photos.csv")
    work, results = Path(tempfile.mkdtemp(prefix="early-exit-")), []
    try:
        for number in range(arguments.first, arguments.first + arguments.sets):
            results.append(measured(work, arguments.photos, photos, number))
            print(pd.DataFrame(results[-1:]).round(4).to_string(index=False), flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    table = pd.DataFrame(results)
    print(table.round(4).to_string(index=False))
    print(table.describe().loc[["mean", "min", "max"]].round(4).to_string())


def measured(work: Path, folder: Path, photos: pd.DataFrame, number: int) -> dict[str, float]:
    """Train on a set, and ask about its other photos both ways."""
    random = np.random.default_rng(100 + number)
    share_of_classes, share_of_groups = MIXES[number % len(MIXES)]
    known = photos[photos["role"] == "known"]
    classes = sorted(known["label"].unique())
    kept = set(random.permutation(classes)[: round(share_of_classes * len(classes))])
    rows, asked = [], []
    for label, of_class in known.groupby("label"):
        groups = random.permutation(of_class["group"].unique())
        groups = groups[: max(1, round(share_of_groups * len(groups)))] if label in kept else groups
        taught = set(groups[: max(1, round(2 / 3 * len(groups)))]) if label in kept else set()
        for name, group in zip(of_class["id"], of_class["group"], strict=True):
            if group in taught:
                rows.append({"image_id": name, "label": label, "group_id": f"{label}-{group}", "split": "train"})
            elif group in groups:
                asked.append((name, label if label in kept else ""))
    asked += [(name, "") for name in photos.loc[photos["role"] != "known", "id"]]
    split = pd.DataFrame(rows)
    split["path"] = [str((folder / "photos" / f"{name}.jpg").resolve()) for name in split["image_id"]]
    layout = Layout(work / str(number))
    layout.cache.mkdir(parents=True)
    (work / "trunk").mkdir(exist_ok=True)
    layout.trunk.symlink_to(work / "trunk", target_is_directory=True)
    begun = time.process_time()
    card = train_model(split, layout, TrainingSettings(backbone=BACKBONE))
    trained_s = time.process_time() - begun
    files = [(name, folder / "photos" / f"{name}.jpg") for name, _ in asked]
    labels: dict[bool, list[str]] = {}
    seconds: dict[bool, float] = {}
    looked = np.zeros(0)
    for adaptive in (False, True):
        model = load_model(layout, card.version, serving=ServingSettings(adaptive_views=adaptive))
        model.engine.run(np.zeros((1, 224, 224, 3), np.uint8))
        begun = time.process_time()
        parts: list[Features] = list(extract_features(model, files))
        seconds[adaptive] = time.process_time() - begun
        decided = [d for part in parts for d in decide(model, part, DecisionSettings())]
        labels[adaptive] = [d.final_label for d in decided]
        if adaptive:
            looked = np.concatenate([part.views for part in parts])
    full, early = np.array(labels[False]), np.array(labels[True])
    true = np.array([label for _, label in asked])
    unseen = true == ""
    unknown = str(FinalLabel.UNKNOWN)
    return {
        "set": number,
        "classes": len(kept),
        "trained on": len(split),
        "asked known": int((~unseen).sum()),
        "asked unseen": int(unseen.sum()),
        "confidence": card.early_exit.get("confidence", float("nan")),
        "margin": card.early_exit.get("margin", float("nan")),
        "card known early": card.early_exit.get("known_early", 0.0),
        "known early": float((looked == 1)[~unseen].mean()),
        "unseen early": float((looked == 1)[unseen].mean()),
        "views a photo": float(looked.mean()),
        "same label": float((full == early).mean()),
        "right, all views": float((full == true)[~unseen].mean()),
        "right, adaptive": float((early == true)[~unseen].mean()),
        "caught, all views": float((full == unknown)[unseen].mean()),
        "caught, adaptive": float((early == unknown)[unseen].mean()),
        "processor": seconds[True] / seconds[False],
        "training s": trained_s,
    }


if __name__ == "__main__":
    main()
