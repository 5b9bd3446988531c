"""A model trained, calibrated and guarded from the photos of a split; a training that was killed goes on.

The steps: find what meters are located by, fill the cache with what the frozen trunk makes of the photos, train the
network and those of the folds, fit guard and temperature, save. What takes long is kept as it is made.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from meter_pipeline.dataset.dataset_split import data_set_problems
from meter_pipeline.dataset.waiting_classes import left_out_of_split, taught_classes
from meter_pipeline.labels import Split
from meter_pipeline.recognition.image_features import forget_features
from meter_pipeline.recognition.model_card import (
    ModelCard,
    content_id,
    list_models,
    load_card,
    next_version,
    save_card,
    set_challenger,
)
from meter_pipeline.recognition.model_files import model_problems
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.network.device import pick_device, training_threads
from meter_pipeline.recognition.network.locating import fit_direction
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.plate_reading import reader_id, require_plate_reader
from meter_pipeline.recognition.scores import Known, Seen
from meter_pipeline.recognition.temperature import fit_temperature
from meter_pipeline.settings import CacheSettings, TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.set_aside import set_aside
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES
from meter_pipeline.training.augmentation import AUGMENTATION_ID
from meter_pipeline.training.cache_limit import keep_within_limit
from meter_pipeline.training.cross_fitting import FoldAnswers, cross_fitting, make_folds
from meter_pipeline.training.early_exit_fitting import fit_early_exit
from meter_pipeline.training.guard_fitting import FEW_TAUGHT, fit_guard
from meter_pipeline.training.held_out import OWN, held_out_rows, no_held_out_rows
from meter_pipeline.training.saving import save_model
from meter_pipeline.training.schedule import Schedule, TrainingSetup
from meter_pipeline.training.training_photos import PhotoFiles, TrainingSet, files_of_split, read_photos
from meter_pipeline.training.training_result import TrainingResult
from meter_pipeline.training.trunk_cache import TrunkCache
from meter_pipeline.training.two_phase import EpochRecord, train_network

_logger = logging.getLogger(__name__)

TRAINING_VERSION = 10
"""Part of a model's identity; raise it with any change that makes different weights or another guard from the same
photos."""
FEWEST_FOR_TEMPERATURE = 40
"""Held-out photos below which no temperature is fitted."""
MOST_TO_LOCATE_BY = 1000
"""Train photos, evenly taken, that the direction to find meters by is learned from."""


def train_model(
    split: pd.DataFrame,
    layout: Layout,
    config: TrainingSettings,
    *,
    caching: CacheSettings | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> ModelCard:
    """Train a model on a split, store it and name it the challenger; the same photos and config are not trained again.

    Args:
        split: rows of `dataset_split`.
        layout: the data directory; photos are read from `raw`, the trunk's outputs kept in `cache`.
        config: settings.
        caching: how much of the trunk's outputs stays afterwards; None: the default.
        on_epoch: called with the record of each epoch as it ends.

    Raises:
        DataSetError: the photos do not make a data set.
        WeightsError: the pretrained weights cannot be had.
        MeterError: plates are to be read and the packages for it are not installed; or a table is damaged.
    """
    if config.read_plates:
        require_plate_reader()
    for note in data_set_problems(split):
        _logger.warning("%s", note)
    backbone = load_backbone(config.backbone, config.weights, seed=config.seed)
    preprocess = Preprocess(backbone.mean, backbone.std)
    cache = TrunkCache(layout.trunk, backbone, preprocess, config.seed, pick_device())
    data_version = _data_version(split)
    taught = taught_classes(layout.lake.frame(IMAGE_INVENTORY), split, photos=FEW_TAUGHT)
    content = _content(data_version, taught, config, cache)
    version = next_version(layout, content)
    waiting = _waiting(split, layout)
    if _is_there(layout, version):
        _logger.info("Model %s was trained on these photos with these settings; nothing to do.", version)
        set_challenger(layout, version)
        return _with_waiting(layout, load_card(layout, version), waiting)
    forget_features(layout.lake, version)  # the number is given again where its model was damaged and put aside
    checkpoints = layout.models / f".training-{content}"
    result = _train(split, layout, config, cache, taught, checkpoints, on_epoch)
    counts = {str(name): int(count) for name, count in split["split"].value_counts().items()}
    fields = {"version": version, "data_version": data_version, "counts": counts, "waiting": waiting}
    fields |= result.card_fields()
    card = save_model(layout, fields, result.trained, result.preprocess, result.reference, result.guard.held_out)
    set_challenger(layout, version)
    shutil.rmtree(checkpoints, ignore_errors=True)
    keep_within_limit(layout.trunk, result.cached_files, caching or CacheSettings())
    _logger.info("Model %s: %s", version, {name: round(value, 4) for name, value in card.metrics.items()})
    return card


def _is_there(layout: Layout, version: str) -> bool:
    """Return whether a model can be used instead of trained again; a damaged one is put aside first."""
    if version not in list_models(layout):
        return False
    problems = model_problems(layout.models / version)
    for problem in problems:
        _logger.warning("%s", problem)
    if problems:
        _logger.warning("%s is in %s now and is trained again.", version, set_aside(layout, layout.models / version))
    return not problems


def _data_version(split: pd.DataFrame) -> str:
    """Return a hash of the photos that a model follows from."""
    used = split[split["split"].isin([Split.TRAIN, Split.VAL])].sort_values("image_id")
    return content_id(used[["image_id", "label", "split", "group_id"]].to_numpy().tolist())


def _waiting(split: pd.DataFrame, layout: Layout) -> dict[str, dict[str, int]]:
    """Return the classes that the split leaves out because they wait, as the card says it."""
    inventory, promoted = layout.lake.frame(IMAGE_INVENTORY), layout.lake.frame(PROMOTED_IMAGES)
    left_out = left_out_of_split(inventory, split, promoted)
    for found in left_out.values():
        _logger.warning("Class %s is not learned yet: %d of %d meters", found.label, found.meters, found.needed)
    return {
        label: {"meters": found.meters, "needed": found.needed, "photos": found.photos}
        for label, found in left_out.items()
    }


def _with_waiting(layout: Layout, card: ModelCard, waiting: dict[str, dict[str, int]]) -> ModelCard:
    """Return the card of a model that was there already, with the classes that wait now: no model depends on them."""
    if card.waiting != waiting:
        card = replace(card, waiting=waiting)
        save_card(layout.models / card.version, card)
    return card


def _content(data_version: str, taught: Sequence[str], config: TrainingSettings, cache: TrunkCache) -> str:
    """Return a hash of all that a model follows from; of the pretrained weights what they are, not where they lie."""
    settings = {key: value for key, value in config.model_dump().items() if key != "weights"}
    reader = [reader_id()] if config.read_plates else []
    return content_id(
        data_version,
        settings,
        cache.backbone.weights_id,
        cache.preprocess.preprocess_id,
        AUGMENTATION_ID,
        TRAINING_VERSION,
        *taught,
        *reader,
    )


def _train(
    split: pd.DataFrame,
    layout: Layout,
    config: TrainingSettings,
    cache: TrunkCache,
    taught: Sequence[str],
    checkpoints: Path,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> TrainingResult:
    """Run the steps from the photos to what is saved; each goes on from what a killed training left."""
    views = len(cache.preprocess.views)
    files = files_of_split(split, layout.raw, train_samples=max(config.train_views, views), val_samples=views)
    cache = _with_meters_located(cache, files.train)
    photos = read_photos(files, cache, plates=layout.plates if config.read_plates else None)
    setup = TrainingSetup(schedule=Schedule.from_settings(config), cache=cache, checkpoints=checkpoints)
    _logger.info(
        "Training on %d photos of %d classes, %d val photos, %s",
        len(files.train),
        len(files.classes),
        len(files.val),
        cache.device,
    )
    with training_threads():
        return _fit(photos, config, setup, taught, on_epoch)


def _fit(
    photos: TrainingSet,
    config: TrainingSettings,
    setup: TrainingSetup,
    taught: Sequence[str],
    on_epoch: Callable[[EpochRecord], None] | None,
) -> TrainingResult:
    """Train the network and those of the folds, and fit guard and temperature to what they say."""
    train, val = photos.train, photos.val
    to_fit = make_folds(train.labels, train.groups, config.guard_folds, config.seed)
    with cross_fitting(train, to_fit, setup) as fold_answers:
        network = train_network(train, val, setup, _logged(on_epoch))
        folds = fold_answers()
    known = train.known(network.answers(train).tuned)
    val_seen = val_whole = None
    if val is not None:
        said = network.answers(val)
        val_seen, val_whole = val.seen(said.logits, said.tuned), val.seen_whole(said.whole_logits, said.whole_tuned)
    guard = fit_guard(
        known,
        _held_out(photos, known, val_seen, [(fold, fold.seen) for fold in folds]),
        known_flagged=config.guard_known_flagged,
        taught=taught,
    )
    return TrainingResult(
        config=config,
        photos=photos,
        network=network,
        known=known,
        guard=guard,
        early_exit=fit_early_exit(
            guard, _held_out(photos, known, val_whole, [(fold, fold.whole) for fold in folds]), setup.cache.preprocess
        ),
        temperature=_temperature(photos, val_seen, folds),
        val_accuracy=None if val is None or val_seen is None else float(np.mean(val_seen.predicted == val.labels)),
    )


def _with_meters_located(cache: TrunkCache, train: PhotoFiles) -> TrunkCache:
    """Learn from the train photos, whole, what meters are located by, and return the cache of the views that follow."""
    rows = np.unique(np.linspace(0, len(train) - 1, MOST_TO_LOCATE_BY).round().astype(int))
    photos = train.by_id
    wholes = cache.wholes([photos[row] for row in rows], train.samples)
    cache = cache.with_direction(fit_direction(wholes))
    located = sum(cache.preprocess.place(whole) is not None for whole in wholes)
    if located < len(wholes):
        _logger.warning(
            "On %d of %d photos nothing tells the meter from what is around it (backbone %s): their views show the "
            "middle of the photo.",
            len(wholes) - located,
            len(wholes),
            cache.backbone.name,
        )
    return cache


def _logged(on_epoch: Callable[[EpochRecord], None] | None) -> Callable[[EpochRecord], None]:
    """Return what is called with each epoch's record: it logs the record, then hands it on."""

    def log(record: EpochRecord) -> None:
        val = "no val set"
        if record.val_loss is not None:
            val = f"val loss {record.val_loss:.3f}, val accuracy {record.val_accuracy:.3f}"
        _logger.info(
            "%s epoch %d: train loss %.3f, train accuracy %.3f, %s",
            record.phase,
            record.epoch,
            record.train_loss,
            record.train_accuracy,
            val,
        )
        if on_epoch:
            on_epoch(record)

    return log


def _held_out(
    photos: TrainingSet, known: Known, val: Seen | None, folds: Sequence[tuple[FoldAnswers, Seen]]
) -> pd.DataFrame:
    """Return one row per photo that a fold's model, or the model itself, was not shown.

    Args:
        photos: all photos.
        known: the train photos.
        val: the val photos as the model saw them.
        folds: the folds, each with the photos as its model saw them.
    """
    names = photos.names(photos.train)
    parts = [
        held_out_rows(
            seen,
            fold.known,
            fold.labels,
            image_ids=[photos.train.image_ids[row] for row in fold.rows],
            classes=[names[row] for row in fold.rows],
            outputs=[photos.classes[index] for index in fold.classes],
            fold=number,
        )
        for number, (fold, seen) in enumerate(folds)
    ]
    if photos.val is not None and val is not None:
        parts.append(
            held_out_rows(
                val,
                known,
                photos.val.labels,
                image_ids=photos.val.image_ids,
                classes=photos.names(photos.val),
                outputs=photos.classes,
                fold=OWN,
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else no_held_out_rows()


def _temperature(photos: TrainingSet, val: Seen | None, folds: Sequence[FoldAnswers]) -> float:
    """Fit it on the val photos, or on what the folds held out if these are few; 1 where both are too few."""
    if photos.val is not None and val is not None and len(photos.val) >= FEWEST_FOR_TEMPERATURE:
        return fit_temperature(val.logits, photos.val.labels)
    held_out = [(fold.seen.logits[fold.labels >= 0], fold.labels[fold.labels >= 0]) for fold in folds]
    if sum(len(labels) for _, labels in held_out) < FEWEST_FOR_TEMPERATURE:
        return 1.0
    return float(np.exp(np.mean([np.log(fit_temperature(*fold)) for fold in held_out if len(fold[1])])))
