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
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from meter_pipeline.labels import FinalLabel
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.early_exit import EarlyExit, margins
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.recognition.scores import Seen
from meter_pipeline.recognition.softmax import softmax
from meter_pipeline.settings import DecisionSettings, ServingSettings, TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model

BACKBONE = "efficientnet_lite0"
MIXES = ((1.0, 1.0), (0.6, 1.0), (0.8, 0.5), (1.0, 0.7), (0.5, 0.8), (0.7, 0.6))
"""Of each set the share of the classes that are known, and of their groups that are there."""
EVERY_PHOTO = EarlyExit(confidence=0.0, margin=-1e9)
FLOORS = ((0.9, 0.5), (0.9, 1.0), (0.95, 1.0), (0.95, 1.5), (0.95, 2.0))
"""Least confidence and margin that are tried beside what the card says."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--sets", type=int, default=len(MIXES))
    parser.add_argument("--first", type=int, default=0, help="number of the first set")
    parser.add_argument("--work", type=Path, help="keep models and the trunk's outputs here")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    photos = pd.read_csv(arguments.photos / "photos.csv")
    work, results = arguments.work or Path(tempfile.mkdtemp(prefix="early-exit-")), []
    try:
        for number in range(arguments.first, arguments.first + arguments.sets):
            results += measured(work, arguments.photos, photos, number)
            print(pd.DataFrame(results[-1 - len(FLOORS) :]).round(4).to_string(index=False), flush=True)
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)
    table = pd.DataFrame(results)
    for name, rows in table.groupby("limits", sort=False):
        figures = rows.drop(columns=["set", "limits"])
        print(f"{name}\n{figures.describe().loc[['mean', 'min', 'max']].round(4).to_string()}")


def measured(work: Path, folder: Path, photos: pd.DataFrame, number: int) -> list[dict[str, object]]:
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
    layout.cache.mkdir(parents=True, exist_ok=True)
    (work / "trunk").mkdir(exist_ok=True)
    if not layout.trunk.exists():
        layout.trunk.symlink_to(work / "trunk", target_is_directory=True)
    card = train_model(split, layout, TrainingSettings(backbone=BACKBONE))
    files = [(name, folder / "photos" / f"{name}.jpg") for name, _ in asked]
    true = np.array([label for _, label in asked])
    model = load_model(layout, card.version, serving=ServingSettings(adaptive_views=False))
    full = together(extract_features(model, files))
    whole = together(extract_features(replace(model, early_exit=EVERY_PHOTO), files))
    known, guard = model.reference.known, model.guard
    seen = Seen(logits=whole.logits, embeddings=whole.embeddings.normalised())
    names = np.array([model.classes[index] for index in seen.predicted])
    margin = margins(guard.deviations(seen, known).sum(axis=0), names.tolist(), guard)
    photos_asked = Asked(
        true=true,
        all_views=np.array([each.final_label for each in decide(model, full, DecisionSettings())]),
        whole=np.array([each.final_label for each in decide(model, whole, DecisionSettings())]),
        confidence=softmax(whole.logits.astype(np.float64)).max(axis=1),
        margin=margin,
    )
    limits = {"card": (card.early_exit.get("confidence", np.inf), card.early_exit.get("margin", np.inf))}
    for least in FLOORS:
        confidence, lowest = limits["card"]
        limits[f"at least {least}"] = (max(confidence, least[0]), max(lowest, least[1]))
    base = {"set": number, "classes": len(kept), "trained on": len(split)}
    return [base | {"limits": name} | photos_asked.outcome(*limit) for name, limit in limits.items()]


@dataclass(frozen=True)
class Asked:
    """Photos that were asked about, both ways.

    Attributes:
        true: name of each photo's class; empty for unseen ones.
        all_views: final label by all views.
        whole: final label by the view of the whole.
        confidence: of the view of the whole.
        margin: likewise, see `EarlyExit`.
    """

    true: np.ndarray
    all_views: np.ndarray
    whole: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray

    def outcome(self, confidence: float, margin: float) -> dict[str, float]:
        """Return what limits save and change."""
        early = (self.confidence >= confidence) & (self.margin >= margin)
        label, unseen, unknown = np.where(early, self.whole, self.all_views), self.true == "", str(FinalLabel.UNKNOWN)
        return {
            "confidence": confidence,
            "margin": margin,
            "asked known": int((~unseen).sum()),
            "asked unseen": int(unseen.sum()),
            "known early": float(early[~unseen].mean()),
            "unseen early": float(early[unseen].mean()),
            "same label": float((label == self.all_views).mean()),
            "same, of known": float((label == self.all_views)[~unseen].mean()),
            "right, all": float((self.all_views == self.true)[~unseen].mean()),
            "right": float((label == self.true)[~unseen].mean()),
            "caught, all": float((self.all_views == unknown)[unseen].mean()),
            "caught": float((label == unknown)[unseen].mean()),
        }


def together(parts: Iterable[Features]) -> Features:
    found = list(parts)
    return Features(
        image_ids=[image_id for part in found for image_id in part.image_ids],
        logits=np.concatenate([part.logits for part in found]),
        embeddings=Embeddings.together([part.embeddings for part in found]),
        views=np.concatenate([part.views for part in found]),
        failures={},
    )


if __name__ == "__main__":
    main()
