"""How often known photos of rare classes are flagged, and what is still caught: field photos with classes cut down.

    python benchmarks/rare_classes.py ../shared/field-photos [--draws 4 5 6] [--whole 2 3] [--work DIR] [--trained-head]

A draw, by its seed: every other known class, others in each draw, is cut to 5, 8, 12 or 20 photos, by whole groups;
the pipeline splits what is left and trains on it. Asked are its test photos, the photos that were cut off, the unseen
designs and the junk. `--whole`: seeds of splits in which nothing is cut. (0017 chose on 0 to 3,
and 0 and 1.) Beside the guard in use stand the softmax rule alone and the guard whose scores spread alike for all
classes, on the same models. `--trained-head`: models that name photos by the head that the training tuned with, as
before 0017. Nothing of the folder is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from meter_pipeline.dataset.dataset_split import split_dataset
from meter_pipeline.labels import FinalLabel, Origin, Split
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import MeterModel, load_held_out, load_model
from meter_pipeline.recognition.scores import DOUBLED_AT
from meter_pipeline.settings import DecisionSettings, SplitSettings, TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, LABELLED_FEATURES
from meter_pipeline.training import two_phase
from meter_pipeline.training.guard_fitting import fit_guard
from meter_pipeline.training.trained_model import train_model

BACKBONE = "efficientnet_lite0"
SIZES = (5, 8, 12, 20)
FEWEST_CUT_OFF = 3
"""Photos that have to be cut off for a class to be cut."""
BANDS = ((1, 4), (5, 7), (8, 11), (12, 15), (16, 30), (31, 60), (61, 10_000))
"""Labelled photos of a class: the rows of the second table."""
SMALL = (5, 15)
GOALS = {
    "known flagged, classes of 5 to 15 photos": "0.12",
    "known flagged, all (classes by their labelled photos)": "0.05",
    "unseen caught": "0.85 (nothing cut)",
    "junk caught": "0.99",
}
"""What issue 22 asks for."""
WAYS = ("softmax rule alone", "spreads alike", "in use")


@dataclass(frozen=True)
class Draw:
    """One draw: its model, and the photos it is asked about with their features."""

    model: MeterModel
    photos: pd.DataFrame
    features: Features
    held_out: pd.DataFrame
    labelled: pd.Series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--draws", type=int, nargs="*", default=[4, 5, 6])
    parser.add_argument("--whole", type=int, nargs="*", default=[2, 3])
    parser.add_argument("--work", type=Path, help="keep the data directories here")
    parser.add_argument("--trained-head", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    photos = pd.read_csv(arguments.photos / "photos.csv").sort_values("id", ignore_index=True)
    files = [arguments.photos / "photos" / f"{name}.jpg" for name in photos["id"]]
    photos["image_id"] = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    work = arguments.work or Path(tempfile.mkdtemp(prefix="rare-classes-"))
    found: dict[str, list[pd.DataFrame]] = {"classes cut": [], "nothing cut": []}
    try:
        known = photos[photos["role"] == "known"]
        for is_cut, seed in [(True, seed) for seed in arguments.draws] + [(False, seed) for seed in arguments.whole]:
            started = time.monotonic()
            data_dir = work / f"{'cut' if is_cut else 'whole'}-{seed}{'-trained' if arguments.trained_head else ''}"
            kept = cut(known, seed) if is_cut else known
            draw = train(data_dir, arguments.photos, photos, kept, seed, trained_head=arguments.trained_head)
            found["classes cut" if is_cut else "nothing cut"].append(asked(draw))
            print(f"{data_dir.name}: {len(kept)} photos, {time.monotonic() - started:.0f} s", flush=True)
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)
    for name, draws in found.items():
        if draws:
            show(name, draws)


def cut(known: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the photos that are kept: every other class, in random order, is cut to one of the sizes in turn."""
    random, photos = np.random.default_rng(seed), known.groupby("label").size()
    turns, turn, size_of = [part for size in SIZES for part in (size, None)], seed, {}
    for label in random.permutation(sorted(photos.index)):
        size = turns[turn % len(turns)]
        while size is not None and photos[label] - size < FEWEST_CUT_OFF:
            turn += 1
            size = turns[turn % len(turns)]
        size_of[label], turn = size, turn + 1
    kept = []
    for label, rows in known.groupby("label"):
        size, taken = size_of[label], 0
        if size is None:
            kept += rows.index.tolist()
            continue
        for group in random.permutation(sorted(rows["group"].unique())):
            of_group = rows.index[rows["group"] == group].tolist()
            if taken + len(of_group) <= size:
                kept += of_group
                taken += len(of_group)
    return known.loc[sorted(kept)]


def train(
    data_dir: Path, folder: Path, photos: pd.DataFrame, kept: pd.DataFrame, seed: int, *, trained_head: bool
) -> Draw:
    """Split and train on the photos that are kept, and put all that the model was not trained on through it."""
    layout = Layout(data_dir)
    for link, target in ((layout.raw / "all", folder / "photos"), (layout.trunk, data_dir.parent / "trunk")):
        # What the frozen trunk makes of a photo does not depend on the draw: computed once for all of them.
        target.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(target.resolve(), target_is_directory=True)
    inventory = pd.DataFrame(
        {
            "image_id": kept["image_id"],
            "path": "all/" + kept["id"] + ".jpg",
            "label": kept["label"],
            "group_id": kept["group"],
            "origin": Origin.FOLDER,
            "reason": None,
        }
    )
    split = split_dataset(inventory, pd.DataFrame(columns=list(DATASET_SPLIT.columns)), SplitSettings(seed=seed))
    with patch.object(two_phase, "discriminant_head", _trained if trained_head else two_phase.discriminant_head):
        card = train_model(split, layout, TrainingSettings(backbone=BACKBONE))
    model = load_model(layout, card.version)
    trained_on = split.loc[split["split"] != Split.TEST, "image_id"]
    wanted = photos[~photos["image_id"].isin(trained_on)].drop_duplicates("image_id").set_index("image_id")
    files = [(image_id, folder / "photos" / f"{name}.jpg") for image_id, name in wanted["id"].items()]
    update_features(layout.lake, LABELLED_FEATURES, model, files)
    features = features_of(layout.lake, LABELLED_FEATURES, model.version, wanted.index.tolist())
    held_out = load_held_out(layout, model.version).drop(columns="guard_score")
    return Draw(model, wanted.loc[features.image_ids], features, held_out, split.groupby("label").size())


def _trained(trained: object, *_: object, **__: object) -> object:
    return trained


def asked(draw: Draw) -> pd.DataFrame:
    """Return one row per photo asked about: what it is, what it was named, and whether it is flagged, by way."""
    limit = draw.model.card.guard["known_flagged_limit"]
    with patch.dict(DOUBLED_AT, clear=True):
        alike = fit_guard(draw.model.reference.known, draw.held_out, known_flagged=limit).guard.as_card()
    guards = dict(zip(WAYS, ("off", "on", "on"), strict=True))
    cards = dict(zip(WAYS, (draw.model.card.guard, alike, draw.model.card.guard), strict=True))
    rows = draw.photos[["role", "label"]].assign(photos=draw.photos["label"].map(draw.labelled))
    for way in WAYS:
        model = replace(draw.model, card=replace(draw.model.card, guard=cards[way]))
        decisions = decide(model, draw.features, DecisionSettings(guard=guards[way]))
        rows[way] = [decision.final_label == FinalLabel.UNKNOWN for decision in decisions]
        rows["named"] = [decision.best.class_name for decision in decisions]
    needed = draw.model.card.guard.get("needs_photos")
    return rows.assign(named_photos=rows["named"].map(draw.labelled), needed=np.nan if needed is None else needed)


def show(name: str, draws: list[pd.DataFrame]) -> None:
    """Print what is flagged by each way, mean and spread over the draws, and both curves by class size."""
    print(f"\n| {name}, mean of {len(draws)} draw(s) | asked for | {' | '.join(WAYS)} |")
    print("|---" * (2 + len(WAYS)) + "|")
    figures = [pd.DataFrame({way: flagged(draw, way) for way in WAYS}) for draw in draws]
    together = pd.concat(figures, keys=range(len(figures)))
    for figure in figures[0].index:
        of_figure = together.xs(figure, level=1)
        cells = [f"{of_figure[way].mean():.3f} ± {of_figure[way].std(ddof=0):.3f}" for way in WAYS]
        print(f"| {figure} | {GOALS.get(figure, '')} | {' | '.join(cells)} |")
    needed = [draw["needed"].iloc[0] for draw in draws]
    print(f"\nPhotos that a class needs, by the cards: {', '.join(f'{number:g}' for number in needed)}.\n")
    print(
        "| labelled photos of the class | classes | accuracy | known flagged: softmax rule; spreads alike; in use "
        "| unseen named so, caught: the same (photos) |\n|---|---|---|---|---|"
    )
    rows = pd.concat(draws, keys=range(len(draws)), names=["draw"]).reset_index("draw")
    for low, high in BANDS:
        known = rows[(rows["role"] == "known") & rows["photos"].between(low, high)]
        if known.empty:
            continue
        unseen = rows[(rows["role"] == "unseen") & rows["named_photos"].between(low, high)]
        right = (known["named"] == known["label"]).groupby([known["draw"], known["label"]]).mean()
        known_flagged = [known[way].groupby([known["draw"], known["label"]]).mean().mean() for way in WAYS]
        caught = "; ".join(f"{unseen[way].mean():.3f}" for way in WAYS) if len(unseen) else ""
        cells = "; ".join(f"{share:.3f}" for share in known_flagged)
        print(f"| {low} to {high} | {len(right)} | {right.mean():.3f} | {cells} | {caught} ({len(unseen)}) |")


def flagged(draw: pd.DataFrame, way: str) -> dict[str, float]:
    """Return shares that are flagged, of known photos by classes, and of the others."""
    known = draw[draw["role"] == "known"]
    by_class = known.groupby("label").agg(flagged=(way, "mean"), photos=("photos", "first"))
    right = (known["named"] == known["label"]).groupby(known["label"]).mean()
    small = by_class["photos"].between(*SMALL)
    return {
        "accuracy, classes of 5 to 15 photos": right[small].mean(),
        "accuracy, all (classes by their labelled photos)": np.average(right, weights=by_class["photos"]),
        "known flagged, classes of 5 to 15 photos": by_class.loc[small, "flagged"].mean(),
        "known flagged, all (classes by their labelled photos)": np.average(
            by_class["flagged"], weights=by_class["photos"]
        ),
        "unseen caught": draw.loc[draw["role"] == "unseen", way].mean(),
        "junk caught": draw.loc[draw["role"] == "junk", way].mean(),
    }


if __name__ == "__main__":
    main()
