"""What a model trained like this one says of photos and of classes it was not shown: folds that hide both in turn."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.scores import Known, Seen, normalised
from meter_pipeline.storage.files import replacing
from meter_pipeline.training.trunk_cache import TrunkCache
from meter_pipeline.training.two_phase import Schedule, TrainingPhotos, TwoPhaseTraining

_logger = logging.getLogger(__name__)

FEWEST_CLASSES = 4
"""Classes below which hiding some leaves nothing to tell apart."""
MOST_PHOTOS = 1500
"""Photos that a fold looks at: enough for a threshold, and a bound on its time."""


@dataclass(frozen=True)
class Fold:
    """Rows of the training photos, by what a fold does with them.

    Attributes:
        train: trained on.
        held_out: of classes that are trained on, but these photos are not shown.
        hidden: of classes that are not shown at all.
    """

    train: np.ndarray
    held_out: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class FoldAnswers:
    """What a fold's model made of the photos it was not shown.

    Attributes:
        seen: the photos, held out first, then hidden.
        known: the fold's train photos.
        labels: class a photo as an index into the fold's classes; -1 where hidden.
        classes: the fold's classes, as indices into all.
        rows: row among the training photos, a photo.
    """

    seen: Seen
    known: Known
    labels: np.ndarray
    classes: np.ndarray
    rows: np.ndarray


def make_folds(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> list[Fold]:
    """Cut training photos into folds; every class is hidden once, a group of photos held out at most once.

    A class keeps at least one group to train on in each fold where it is not hidden: a class of a single group is
    never held out.

    Args:
        labels: index of the class, a photo.
        groups: index of the near-duplicate group, a photo; a group has one class.
        count: folds.
        seed: of the order of classes and groups, and of the photos chosen where there are over `MOST_PHOTOS`.

    Returns:
        The folds; none where there are fewer than `FEWEST_CLASSES` classes or fewer than two folds are asked for.
    """
    classes = np.unique(labels)
    count = min(count, len(classes) // 2)
    if len(classes) < FEWEST_CLASSES or count < 2:
        return []
    random = np.random.default_rng(seed)
    used = np.sort(random.permutation(len(labels))[:MOST_PHOTOS])
    # The largest classes go to different folds, so that no fold loses most of the photos.
    sizes = np.array([np.sum(labels == name) for name in classes])
    hidden_in = dict(
        zip(classes[np.lexsort((random.permutation(len(classes)), -sizes))], _dealt(len(classes), count), strict=True)
    )
    held_in = np.full(len(labels), -1)
    for name in classes:
        of_class = random.permutation(np.unique(groups[labels == name]))
        if len(of_class) > 1:
            for group, fold in zip(of_class, _dealt(len(of_class), count), strict=True):
                held_in[groups == group] = fold
    folds = []
    for number in range(count):
        hidden = np.array([hidden_in[label] == number for label in labels])
        held_out = (held_in == number) & ~hidden
        kept = [row for row in used if not hidden[row] and not held_out[row]]
        lost = set(labels[~hidden]) - set(labels[kept])
        kept += [int(np.flatnonzero((labels == name) & ~held_out)[0]) for name in sorted(lost)]
        folds.append(Fold(np.sort(np.array(kept)), used[held_out[used]], used[hidden[used]]))
    return folds


def cross_fit(
    photos: TrainingPhotos,
    groups: np.ndarray,
    folds: list[Fold],
    schedule: Schedule,
    backbone: Backbone,
    cache: TrunkCache,
    checkpoints: Path,
) -> list[FoldAnswers]:
    """Train a model a fold and ask it about the photos it was not shown; a fold once done is kept.

    Args:
        photos: the training photos.
        groups: index of the near-duplicate group, a photo.
        folds: from `make_folds`.
        schedule: as of the model itself.
        backbone: likewise.
        cache: the trunk's outputs of these photos.
        checkpoints: folder for what a killed training goes on from.
    """
    answers = []
    for number, fold in enumerate(folds):
        done = checkpoints / f"fold-{number}.npz"
        if not done.exists():
            _logger.info(
                "Fold %d of %d: %d photos to train on, %d held out, %d of hidden classes",
                *(number + 1, len(folds), len(fold.train), len(fold.held_out), len(fold.hidden)),
            )
            arrays = _fit(
                photos, fold, replace(schedule, seed=schedule.seed + number + 1), backbone, cache, checkpoints / "fold"
            )
            with replacing(done) as temporary, temporary.open("wb") as handle:
                np.savez(handle, allow_pickle=False, **arrays)
            shutil.rmtree(checkpoints / "fold", ignore_errors=True)
        with np.load(done) as arrays:
            answers.append(_answers(photos, groups, fold, cache.preprocess, dict(arrays)))
    return answers


def _fit(
    photos: TrainingPhotos,
    fold: Fold,
    schedule: Schedule,
    backbone: Backbone,
    cache: TrunkCache,
    checkpoints: Path,
) -> dict[str, np.ndarray]:
    classes, labels = np.unique(photos.labels.numpy()[fold.train], return_inverse=True)
    train = TrainingPhotos(
        [photos.image_ids[row] for row in fold.train],
        torch.from_numpy(labels),
        photos.embeddings[torch.from_numpy(fold.train)],
        photos.colours[fold.train],
        photos.printed[fold.train],
    )
    training = TwoPhaseTraining(train, None, len(classes), schedule, backbone, cache, checkpoints)
    training.run()
    asked = [photos.image_ids[row] for row in (*fold.held_out, *fold.hidden)]
    logits, tuned = training.answers(asked, photos.samples)
    _, known = training.answers(train.image_ids, photos.samples)
    return {"logits": logits, "tuned": tuned, "known": known}


def _answers(
    photos: TrainingPhotos, groups: np.ndarray, fold: Fold, preprocess: Preprocess, arrays: dict[str, np.ndarray]
) -> FoldAnswers:
    rows = np.concatenate([fold.held_out, fold.hidden])
    classes, known_labels = np.unique(photos.labels.numpy()[fold.train], return_inverse=True)
    places = {int(name): place for place, name in enumerate(classes)}
    labels = np.array([places.get(int(label), -1) for label in photos.labels.numpy()[rows]], np.int64)
    views = photos.embeddings[:, : len(preprocess.views)]
    pretrained = normalised(preprocess.embedding(views).numpy())
    return FoldAnswers(
        seen=Seen(
            arrays["logits"], pretrained[rows], normalised(arrays["tuned"]), photos.colours[rows], photos.printed[rows]
        ),
        known=Known(
            labels=known_labels,
            groups=groups[fold.train],
            pretrained=pretrained[fold.train],
            tuned=normalised(arrays["known"]),
            colours=photos.colours[fold.train],
            printed=photos.printed[fold.train],
        ),
        labels=labels,
        classes=classes,
        rows=rows,
    )


def _dealt(items: int, hands: int) -> np.ndarray:
    """Return the hand that each item goes to, there and back again: 0 1 2 2 1 0 0 1 ..."""
    round_trip = np.concatenate([np.arange(hands), np.arange(hands)[::-1]])
    return np.resize(round_trip, items)
