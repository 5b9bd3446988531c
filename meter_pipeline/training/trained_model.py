"""A model trained, calibrated and guarded from the photos of a split; a killed training goes on where it was."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from meter_pipeline.dataset.dataset_split import data_set_problems
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.progress import Progress
from meter_pipeline.recognition.colours import photo_colours
from meter_pipeline.recognition.model_card import (
    ModelCard,
    content_id,
    list_models,
    load_card,
    next_version,
    set_challenger,
)
from meter_pipeline.recognition.model_store import Reference, save_model
from meter_pipeline.recognition.network.backbones import Backbone, load_backbone
from meter_pipeline.recognition.network.device import one_thread_each, pick_device, training_threads
from meter_pipeline.recognition.network.locating import fit_direction
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.plate_reading import (
    kept_codes,
    nothing_read,
    plate_codes,
    reader_id,
    require_plate_reader,
)
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, Known, Seen, normalised
from meter_pipeline.recognition.temperature import fit_temperature
from meter_pipeline.settings import TrainingSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.augmentation import AUGMENTATION_ID
from meter_pipeline.training.cross_fitting import FoldAnswers, cross_fit, make_folds
from meter_pipeline.training.guard_fitting import OWN, FittedGuard, fit_guard, held_out_rows, no_held_out_rows
from meter_pipeline.training.trunk_cache import PHOTOS_AHEAD, TrunkCache
from meter_pipeline.training.two_phase import EpochRecord, Schedule, TrainingPhotos, TwoPhaseTraining, block_outputs

_logger = logging.getLogger(__name__)

TRAINING_VERSION = 7
"""Part of a model's identity; raise it with any change that makes other weights or another guard of the same photos."""
FEWEST_FOR_TEMPERATURE = 40
MOST_TO_LOCATE_BY = 1000
"""Train photos, evenly taken, that the direction to find meters by is learned from."""
LIBRARIES = ("torch", "torchvision", "timm", "pillow", "numpy")


@dataclass(frozen=True)
class _Photos:
    """Some photos of the split, with the index of their class."""

    image_ids: list[str]
    files: list[Path]
    labels: torch.Tensor


def train_model(
    split: pd.DataFrame,
    layout: Layout,
    config: TrainingSettings,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> ModelCard:
    """Train a model on a split, store it and name it the challenger; the same photos and config are not trained again.

    Args:
        split: rows of `dataset_split`.
        layout: the data directory; photos are read from `raw`, the trunk's outputs kept in `cache`.
        config: settings.
        on_epoch: told of each epoch as it ends.

    Raises:
        DataSetError: the photos do not make a data set.
        WeightsError: the pretrained weights cannot be had.
        MeterError: plates are to be read and the packages for it are not installed.
    """
    if config.read_plates:
        require_plate_reader()
    for note in data_set_problems(split):
        _logger.warning("%s", note)
    backbone = load_backbone(config.backbone, config.weights, seed=config.seed)
    preprocess = Preprocess(backbone.mean, backbone.std)
    used = split[split["split"].isin(["train", "val"])].sort_values("image_id")
    data_version = content_id(used[["image_id", "label", "split", "group_id"]].to_numpy().tolist())
    settings = {key: value for key, value in config.model_dump().items() if key != "weights"}
    content = content_id(
        *(data_version, settings, backbone.weights_id, preprocess.preprocess_id, AUGMENTATION_ID, TRAINING_VERSION),
        *([reader_id()] if config.read_plates else []),
    )
    version = next_version(layout, content)
    if version in list_models(layout):
        _logger.info("Model %s was trained on these photos with these settings; nothing to do.", version)
        set_challenger(layout, version)
        return load_card(layout, version)
    trainer = _Trainer(split, layout, config, backbone, preprocess, layout.models / f".training-{content}", on_epoch)
    card = trainer.run(version, data_version)
    set_challenger(layout, version)
    shutil.rmtree(trainer.checkpoints, ignore_errors=True)
    _logger.info("Model %s: %s", version, {name: round(value, 4) for name, value in card.metrics.items()})
    return card


class _Trainer:
    """One training: its photos, and the steps from them to a stored model."""

    def __init__(
        self,
        split: pd.DataFrame,
        layout: Layout,
        config: TrainingSettings,
        backbone: Backbone,
        preprocess: Preprocess,
        checkpoints: Path,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> None:
        self.layout, self.config, self.backbone = layout, config, backbone
        self.split, self.checkpoints, self.on_epoch = split, checkpoints, on_epoch
        self.classes = sorted(split.loc[split["split"] == "train", "label"].unique())
        self.train, self.val = self._photos("train"), self._photos("val")
        self.views = len(preprocess.views)
        self.samples = max(config.train_views, self.views)
        self.preprocess = preprocess
        self.cache = TrunkCache(layout.cache / "trunk", backbone, preprocess, config.seed, pick_device())
        names = Schedule.__dataclass_fields__
        self.schedule = Schedule(**{name: getattr(config, name) for name in names})

    def run(self, version: str, data_version: str) -> ModelCard:
        """Locate, train, calibrate, guard and store; each step goes on from what a killed one left."""
        self.preprocess = self._with_meters_located()
        self.cache = replace(self.cache, preprocess=self.preprocess)
        self.cache.fill(list(zip(self.train.image_ids, self.train.files, strict=True)), self.samples)
        self.cache.fill(list(zip(self.val.image_ids, self.val.files, strict=True)), self.views)
        _logger.info(
            "Training on %d photos of %d classes, %d val photos, %s",
            *(len(self.train.image_ids), len(self.classes), len(self.val.image_ids), self.cache.device),
        )
        self.backbone.last_block.eval().requires_grad_(False).to(self.cache.device)
        with one_thread_each():
            train = self._training_photos(self.train, self.samples)
            val = self._training_photos(self.val, self.views) if self.val.image_ids else None
        with training_threads():
            return self._train(version, data_version, train, val)

    def _train(self, version: str, data_version: str, train: TrainingPhotos, val: TrainingPhotos | None) -> ModelCard:
        training = TwoPhaseTraining(
            train,
            val,
            len(self.classes),
            self.schedule,
            self.backbone,
            self.cache,
            self.checkpoints,
            self._told,
        )
        training.run()
        groups = self.split.set_index("image_id")["group_id"].loc[self.train.image_ids]
        group_index = pd.factorize(groups)[0].astype(np.int64)
        folds = make_folds(self.train.labels.numpy(), group_index, self.config.guard_folds, self.config.seed)
        answers = cross_fit(train, group_index, folds, self.schedule, self.backbone, self.cache, self.checkpoints)
        seen = self._seen(training, train)
        known = Known(train.labels.numpy(), group_index, seen.pretrained, seen.tuned, seen.colours, seen.printed)
        val_seen = self._seen(training, val) if val is not None else None
        fitted = fit_guard(
            known, self._held_out(known, val_seen, answers), known_flagged=self.config.guard_known_flagged
        )
        reference = Reference(train.image_ids, known)
        metrics = {"train_accuracy": training.history[-1].train_accuracy}
        if val_seen is not None:
            metrics["val_accuracy"] = float(np.mean(val_seen.predicted == self.val.labels.numpy()))
        fields = {
            "version": version,
            "data_version": data_version,
            "history": [asdict(record) for record in training.history],
            "metrics": metrics,
            "guard": self._guard_card(fitted),
            "temperature": self._temperature(val_seen, answers),
            **self._described(),
        }
        parts = {"trunk": self.backbone.trunk, "pretrained_block": self.backbone.last_block}
        parts |= {"tuned_block": training.tuned_block, "head": training.head}
        return save_model(self.layout, fields, parts, reference, fitted.held_out)

    def _with_meters_located(self) -> Preprocess:
        """Learn from the train photos, whole, what meters are found by."""
        self.cache.fill_framed(list(zip(self.train.image_ids, self.train.files, strict=True)), self.samples)
        rows = np.unique(np.linspace(0, len(self.train.image_ids) - 1, MOST_TO_LOCATE_BY).round().astype(int))
        wholes = np.stack([self.cache.sample(self.train.image_ids[row], self.samples, 0) for row in rows])
        found = replace(self.preprocess, direction=fit_direction(wholes))
        located = sum(found.place(whole) is not None for whole in wholes)
        if located < len(wholes):
            _logger.warning(
                "On %d of %d photos nothing tells the meter from what is around it (backbone %s): their views show the "
                "middle of the photo.",
                *(len(wholes) - located, len(wholes), self.backbone.name),
            )
        return found

    def _photos(self, name: str) -> _Photos:
        rows = self.split[self.split["split"] == name].sort_values("image_id")
        rows = rows[rows["label"].isin(self.classes)]
        labels = torch.tensor([self.classes.index(label) for label in rows["label"]], dtype=torch.long)
        return _Photos(rows["image_id"].tolist(), [self.layout.raw / path for path in rows["path"]], labels)

    def _training_photos(self, photos: _Photos, samples: int) -> TrainingPhotos:
        outputs = block_outputs(self.backbone.last_block, self.cache, photos.image_ids, samples)
        colours = in_parallel(
            lambda path: photo_colours(self.preprocess, self.preprocess.open(path)), photos.files, ahead=PHOTOS_AHEAD
        )
        return TrainingPhotos(photos.image_ids, photos.labels, outputs, np.stack(list(colours)), self._printed(photos))

    def _printed(self, photos: _Photos) -> np.ndarray:
        if not self.config.read_plates:
            return nothing_read(len(photos.image_ids))
        folder, ids = self.layout.plates, photos.image_ids
        _logger.info(
            "Plates: %d of %d photos to read", sum(not kept_codes(folder, name).exists() for name in ids), len(ids)
        )
        work = in_parallel(
            lambda photo: plate_codes(photo[1], image_id=photo[0], folder=folder),
            list(zip(ids, photos.files, strict=True)),
            ahead=PHOTOS_AHEAD,
        )
        progress = Progress(len(ids), lambda done, total: _logger.info("Plates: %d of %d photos", done, total))
        found = []
        for codes in work:
            found.append(codes)
            progress.advance()
        return np.stack(found)

    def _told(self, record: EpochRecord) -> None:
        val = "no val set"
        if record.val_loss is not None:
            val = f"val loss {record.val_loss:.3f}, val accuracy {record.val_accuracy:.3f}"
        _logger.info(
            "%s epoch %d: train loss %.3f, train accuracy %.3f, %s",
            *(record.phase, record.epoch, record.train_loss, record.train_accuracy, val),
        )
        if self.on_epoch:
            self.on_epoch(record)

    def _seen(self, training: TwoPhaseTraining, photos: TrainingPhotos) -> Seen:
        logits, tuned = training.answers(photos.image_ids, photos.samples)
        pretrained = self.preprocess.embedding(photos.embeddings[:, : self.views]).numpy()
        return Seen(logits, normalised(pretrained), normalised(tuned), photos.colours, photos.printed)

    def _held_out(self, known: Known, val: Seen | None, folds: Sequence[FoldAnswers]) -> pd.DataFrame:
        parts = []
        for number, fold in enumerate(folds):
            ids = [self.train.image_ids[row] for row in fold.rows]
            names = [self.classes[self.train.labels[row]] for row in fold.rows]
            outputs = [self.classes[place] for place in fold.classes]
            parts.append(
                held_out_rows(
                    *(fold.seen, fold.known, fold.labels), image_ids=ids, classes=names, outputs=outputs, fold=number
                )
            )
        if val is not None:
            ids, labels = self.val.image_ids, self.val.labels.numpy()
            names = [self.classes[label] for label in labels]
            parts.append(
                held_out_rows(val, known, labels, image_ids=ids, classes=names, outputs=self.classes, fold=OWN)
            )
        return pd.concat(parts, ignore_index=True) if parts else no_held_out_rows()

    def _temperature(self, val: Seen | None, folds: Sequence[FoldAnswers]) -> float:
        """Fit on val photos, else on the photos that the folds held out; 1 where there are too few of either."""
        if val is not None and len(val.logits) >= FEWEST_FOR_TEMPERATURE:
            return fit_temperature(val.logits, self.val.labels.numpy())
        held_out = [(fold.seen.logits[fold.labels >= 0], fold.labels[fold.labels >= 0]) for fold in folds]
        if sum(len(labels) for _, labels in held_out) < FEWEST_FOR_TEMPERATURE:
            return 1.0
        return float(np.exp(np.mean([np.log(fit_temperature(*fold)) for fold in held_out if len(fold[1])])))

    def _guard_card(self, fitted: FittedGuard) -> dict[str, Any]:
        card = fitted.guard.as_card() | {"known_flagged_limit": self.config.guard_known_flagged}
        card |= fitted.figures
        if fitted.hidden_caught is not None:
            card |= {"tried": fitted.tried, "summary": fitted.summary}
        note = fitted.note
        if fitted.guard.uses(FAMILIAR_PRINT):
            card["reader"] = reader_id()
        elif self.config.read_plates:
            note = f"{note} Too few plates of held-out photos could be read: the guard does without print.".strip()
            _logger.warning("%s", note)
        return card | ({"note": note} if note else {})

    def _described(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "backbone": self.backbone.name,
            "weights_source": self.backbone.weights_source,
            "dimensions": self.backbone.dimensions,
            "preprocess": asdict(self.preprocess),
            "preprocess_id": self.preprocess.preprocess_id,
            "config": self.config.model_dump(),
            "counts": {str(name): int(count) for name, count in self.split["split"].value_counts().items()},
            "trained_on": sorted([*self.train.image_ids, *self.val.image_ids]),
            "libraries": {name: library_version(name) for name in LIBRARIES},
        }
