"""Training in two phases, first the head, then the last block with it; a killed training goes on where it was."""

from __future__ import annotations

import copy
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from meter_pipeline.core.augmentation import AUGMENTATION_ID
from meter_pipeline.core.backbones import Backbone, load_backbone
from meter_pipeline.core.calibration import fit_temperature
from meter_pipeline.core.compute import pick_device, set_training_threads
from meter_pipeline.core.files import replacing
from meter_pipeline.core.guard import choose_threshold, normalised
from meter_pipeline.core.layout import Layout
from meter_pipeline.core.model_store import (
    ModelCard,
    Reference,
    content_id,
    list_models,
    load_card,
    next_version,
    save_model,
)
from meter_pipeline.core.preprocess import Preprocess
from meter_pipeline.core.split import data_set_problems
from meter_pipeline.core.trunk_cache import TrunkCache
from meter_pipeline.settings import Settings

_logger = logging.getLogger(__name__)

TRAINING_VERSION = 2
"""Part of a model's identity; raise it with any change that makes other weights of the same photos."""
HEAD_LEARNING_RATE = 3e-3
TUNE_LEARNING_RATE = 5e-4
TUNE_HEAD_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
LABEL_SMOOTHING = 0.05
DROPOUT = 0.2
CLASS_WEIGHT_POWER = 0.5
"""Class weights are (1 / photos of the class) to this power: 1 makes all classes weigh the same, 0 all photos."""
SAMPLES_AN_EPOCH = 3
"""Of the kept samples of a photo, how many an epoch takes."""
FEWEST_FOR_TEMPERATURE = 40
LIBRARIES = ("torch", "torchvision", "timm", "pillow", "numpy")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings that a model follows from, beside the photos."""

    backbone: str
    weights: str
    epochs_head: int
    epochs_tune: int
    patience: int
    train_views: int
    batch_size: int
    seed: int
    guard_known_flagged: float

    @classmethod
    def from_settings(cls, settings: Settings) -> TrainingConfig:
        """Take the settings of the same names."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class EpochRecord:
    """How an epoch went; losses are cross-entropy, accuracies shares of samples, val is None without a val set."""

    phase: str
    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True)
class _Photos:
    """Some photos of the split, with the index of their class."""

    image_ids: list[str]
    files: list[Path]
    labels: torch.Tensor


def train_model(
    split: pd.DataFrame,
    layout: Layout,
    config: TrainingConfig,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> ModelCard:
    """Train a model on a split and store it; the same photos and config are not trained again.

    Args:
        split: rows of `dataset_split`.
        layout: the data directory; photos are read from `raw`, the trunk's outputs kept in `cache`.
        config: settings.
        on_epoch: told of each epoch as it ends.

    Raises:
        DataSetError: the photos do not make a data set.
        WeightsError: the pretrained weights cannot be had.
    """
    for note in data_set_problems(split):
        _logger.warning("%s", note)
    backbone = load_backbone(config.backbone, config.weights, seed=config.seed)
    preprocess = Preprocess(backbone.mean, backbone.std)
    used = split[split["split"].isin(["train", "val"])].sort_values("image_id")
    data_version = content_id(used[["image_id", "label", "split", "group_id"]].to_numpy().tolist())
    settings = {key: value for key, value in asdict(config).items() if key != "weights"}
    content = content_id(
        data_version, settings, backbone.weights_id, preprocess.preprocess_id, AUGMENTATION_ID, TRAINING_VERSION
    )
    version = next_version(layout, content)
    if version in list_models(layout):
        _logger.info("Model %s was trained on these photos with these settings; nothing to do.", version)
        return load_card(layout, version)
    trainer = _Trainer(split, layout, config, backbone, preprocess, layout.models / f".training-{content}", on_epoch)
    trainer.run()
    card = trainer.save(version, data_version, split)
    shutil.rmtree(trainer.checkpoints, ignore_errors=True)
    _logger.info("Model %s: %s", version, {name: round(value, 4) for name, value in card.metrics.items()})
    return card


class _Trainer:
    """One training: its networks, what the trunk made of the photos, and where it stands."""

    def __init__(
        self,
        split: pd.DataFrame,
        layout: Layout,
        config: TrainingConfig,
        backbone: Backbone,
        preprocess: Preprocess,
        checkpoints: Path,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> None:
        self.layout, self.config, self.backbone, self.preprocess = layout, config, backbone, preprocess
        self.checkpoints, self.on_epoch = checkpoints, on_epoch
        self.device = pick_device()
        self.classes = sorted(split.loc[split["split"] == "train", "label"].unique())
        self.train, self.val = self._photos(split, "train"), self._photos(split, "val")
        self.views = len(preprocess.views)
        self.samples = max(config.train_views, self.views)
        self.cache = TrunkCache(layout.cache / "trunk", backbone, preprocess, config.seed, self.device)
        self.history: list[EpochRecord] = []
        torch.manual_seed(config.seed)
        self.tuned_block = copy.deepcopy(backbone.last_block).requires_grad_(True).to(self.device)
        self.pretrained_block = backbone.last_block.eval().requires_grad_(False).to(self.device)
        self.head = nn.Linear(backbone.dimensions, len(self.classes)).to(self.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        counts = torch.bincount(self.train.labels, minlength=len(self.classes)).float()
        weights = (counts.sum() / counts) ** CLASS_WEIGHT_POWER
        self.class_weights = (weights / weights.mean()).to(self.device)

    def run(self) -> None:
        """Run both phases, from the last checkpoint where there is one."""
        self.cache.fill(list(zip(self.train.image_ids, self.train.files, strict=True)), self.samples)
        self.cache.fill(list(zip(self.val.image_ids, self.val.files, strict=True)), self.views)
        _logger.info(
            "Training on %d photos of %d classes, %d val photos, %s",
            len(self.train.image_ids),
            len(self.classes),
            len(self.val.image_ids),
            self.device,
        )
        set_training_threads()
        self.embeddings = self._pretrained_embeddings(self.train, self.samples)
        self.val_embeddings = self._pretrained_embeddings(self.val, self.views)
        self._phase("head", self.config.epochs_head, [{"params": self.head.parameters(), "lr": HEAD_LEARNING_RATE}])
        if self.config.epochs_tune:
            groups = [
                {"params": self.tuned_block.parameters(), "lr": TUNE_LEARNING_RATE},
                {"params": self.head.parameters(), "lr": TUNE_HEAD_LEARNING_RATE},
            ]
            self._phase("tune", self.config.epochs_tune, groups)

    def save(self, version: str, data_version: str, split: pd.DataFrame) -> ModelCard:
        """Store the model with its reference photos, guard and temperature."""
        reference = self._reference(split)
        threshold = choose_threshold(
            reference.pretrained, reference.labels, reference.groups, known_flagged=self.config.guard_known_flagged
        )
        guard = {"score": "similarity of pretrained embeddings to the predicted class", "threshold": threshold}
        guard["known_flagged"] = self.config.guard_known_flagged
        if threshold is None:
            guard["note"] = "Off: too few photos have another one of their class to be compared with."
        temperature, metrics = 1.0, {"train_accuracy": self.history[-1].train_accuracy}
        if self.val.image_ids:
            logits, _loss = self._val_logits("tune" if self.config.epochs_tune else "head")
            metrics["val_accuracy"] = float((logits.argmax(1) == self.val.labels).float().mean())
            if len(self.val.image_ids) >= FEWEST_FOR_TEMPERATURE:
                temperature = fit_temperature(logits.numpy(), self.val.labels.numpy())
        parts = {"trunk": self.backbone.trunk, "pretrained_block": self.pretrained_block}
        parts |= {"tuned_block": self.tuned_block, "head": self.head}
        fields = {
            "version": version,
            "classes": self.classes,
            "backbone": self.backbone.name,
            "weights_source": self.backbone.weights_source,
            "dimensions": self.backbone.dimensions,
            "preprocess": asdict(self.preprocess),
            "preprocess_id": self.preprocess.preprocess_id,
            "data_version": data_version,
            "config": asdict(self.config),
            "counts": {str(name): int(count) for name, count in split["split"].value_counts().items()},
            "trained_on": sorted([*self.train.image_ids, *self.val.image_ids]),
            "history": [asdict(record) for record in self.history],
            "metrics": metrics,
            "guard": guard,
            "temperature": temperature,
            "libraries": {name: library_version(name) for name in LIBRARIES},
        }
        return save_model(self.layout, fields, parts, reference)

    def _photos(self, split: pd.DataFrame, name: str) -> _Photos:
        rows = split[split["split"] == name].sort_values("image_id")
        rows = rows[rows["label"].isin(self.classes)]
        labels = torch.tensor([self.classes.index(label) for label in rows["label"]], dtype=torch.long)
        return _Photos(rows["image_id"].tolist(), [self.layout.raw / path for path in rows["path"]], labels)

    def _pretrained_embeddings(self, photos: _Photos, samples: int) -> torch.Tensor:
        """Return photos x samples x dimensions, of the block before it is tuned."""
        return self._embeddings(self.pretrained_block, photos, samples)

    def _embeddings(self, block: nn.Module, photos: _Photos, samples: int, use: int | None = None) -> torch.Tensor:
        block.eval()
        rows = []
        with torch.inference_mode():
            for image_id in photos.image_ids:
                maps = torch.from_numpy(np.array(self.cache.maps(image_id, samples)[:use]))
                rows.append(block(maps.float().to(self.device)).cpu())
        return torch.stack(rows) if rows else torch.zeros(0, samples, self.backbone.dimensions)

    def _phase(self, phase: str, epochs: int, groups: list[dict[str, Any]]) -> None:
        optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        rates = [group["lr"] for group in optimiser.param_groups]
        steps_an_epoch = math.ceil(len(self.train.image_ids) * SAMPLES_AN_EPOCH / self.config.batch_size)
        state = self._resume(phase, optimiser)
        best, since_best, first = state["best"], state["since_best"], state["epoch"]
        for epoch in range(first, epochs):
            step, losses, right, seen = epoch * steps_an_epoch, 0.0, 0, 0
            torch.manual_seed(_seed_of(self.config.seed, phase, epoch))
            for inputs, labels in self._batches(phase, epoch):
                share = 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_an_epoch)))
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * share
                logits = self.head(functional.dropout(self._embed(phase, inputs), DROPOUT))
                loss = functional.cross_entropy(logits, labels, self.class_weights, label_smoothing=LABEL_SMOOTHING)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                losses += float(loss.detach()) * len(labels)
                right += int((logits.argmax(1) == labels).sum())
                seen, step = seen + len(labels), step + 1
            record = self._record(phase, epoch, losses / seen, right / seen)
            if record.val_loss is None or best is None or record.val_loss < best["val_loss"]:
                best, since_best = {"val_loss": record.val_loss, **self._weights()}, 0
            else:
                since_best += 1
            self._checkpoint(phase, epoch + 1, optimiser, best, since_best)
            if since_best >= self.config.patience:
                _logger.info("No better val loss in %d epochs: stopped.", since_best)
                break
        if best is not None:
            self.head.load_state_dict(best["head"])
            self.tuned_block.load_state_dict(best["tuned_block"])

    def _record(self, phase: str, epoch: int, loss: float, accuracy: float) -> EpochRecord:
        val_loss = val_accuracy = None
        if self.val.image_ids:
            logits, val_loss = self._val_logits(phase)
            val_accuracy = float((logits.argmax(1) == self.val.labels).float().mean())
        record = EpochRecord(phase, epoch + 1, loss, accuracy, val_loss, val_accuracy)
        self.history.append(record)
        val = "no val set" if val_loss is None else f"val loss {val_loss:.3f}, val accuracy {val_accuracy:.3f}"
        _logger.info("%s epoch %d: train loss %.3f, train accuracy %.3f, %s", phase, epoch + 1, loss, accuracy, val)
        if self.on_epoch:
            self.on_epoch(record)
        return record

    def _embed(self, phase: str, inputs: torch.Tensor) -> torch.Tensor:
        """Return embeddings; phase `head` is fed with them, phase `tune` with the trunk's feature maps."""
        if phase == "head":
            return inputs
        # Batch norm keeps ImageNet's statistics: a few hundred photos in batches of 32 give worse ones.
        return self.tuned_block.eval()(inputs)

    def _batches(self, phase: str, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        random = np.random.default_rng(_seed_of(self.config.seed, phase, epoch))
        count, take = len(self.train.image_ids), min(SAMPLES_AN_EPOCH, self.samples)
        picks = np.stack([random.permutation(self.samples)[:take] for _ in range(count)])
        pairs = np.stack([np.repeat(np.arange(count), take), picks.ravel()], axis=1)
        random.shuffle(pairs)
        for start in range(0, len(pairs), self.config.batch_size):
            batch = pairs[start : start + self.config.batch_size]
            if phase == "head":
                inputs = self.embeddings[batch[:, 0], batch[:, 1]]
            else:
                maps = [self.cache.maps(self.train.image_ids[row], self.samples)[sample] for row, sample in batch]
                inputs = torch.from_numpy(np.stack(maps)).float()
            yield inputs.to(self.device), self.train.labels[batch[:, 0]].to(self.device)

    def _val_logits(self, phase: str) -> tuple[torch.Tensor, float]:
        """Return the val photos' logits, averaged over views as in serving, and their cross-entropy."""
        if phase == "head":
            embeddings = self.val_embeddings
        else:
            embeddings = self._embeddings(self.tuned_block, self.val, self.views)
        with torch.inference_mode():
            logits = self.head(embeddings.to(self.device)).mean(dim=1).cpu()
        return logits, float(functional.cross_entropy(logits, self.val.labels))

    def _reference(self, split: pd.DataFrame) -> Reference:
        groups = split.set_index("image_id")["group_id"].loc[self.train.image_ids]
        pretrained = self._embeddings(self.pretrained_block, self.train, self.samples, self.views).mean(dim=1)
        tuned = self._embeddings(self.tuned_block, self.train, self.samples, self.views).mean(dim=1)
        return Reference(
            image_ids=self.train.image_ids,
            labels=self.train.labels.numpy(),
            groups=pd.factorize(groups)[0].astype(np.int64),
            pretrained=normalised(pretrained.numpy()),
            tuned=normalised(tuned.numpy()),
        )

    def _weights(self) -> dict[str, dict[str, torch.Tensor]]:
        return {
            "head": copy.deepcopy(self.head.state_dict()),
            "tuned_block": copy.deepcopy(self.tuned_block.state_dict()),
        }

    def _checkpoint(
        self, phase: str, epoch: int, optimiser: torch.optim.Optimizer, best: dict[str, Any] | None, since_best: int
    ) -> None:
        state: dict[str, Any] = {
            "epoch": epoch,
            "best": best,
            "since_best": since_best,
            "optimiser": optimiser.state_dict(),
        }
        state |= {**self._weights(), "history": [asdict(record) for record in self.history]}
        with replacing(self.checkpoints / f"{phase}.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self, phase: str, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        path = self.checkpoints / f"{phase}.pt"
        if not path.exists():
            return {"epoch": 0, "best": None, "since_best": 0}
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.head.load_state_dict(state["head"])
        self.tuned_block.load_state_dict(state["tuned_block"])
        optimiser.load_state_dict(state["optimiser"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        if state["since_best"] >= self.config.patience:
            state["epoch"] = 10**9  # it had stopped early
        _logger.info("Going on with phase %s after epoch %d", phase, len(self.history))
        return state


def _seed_of(seed: int, phase: str, epoch: int) -> int:
    return seed * 100_003 + epoch * 2 + (phase == "tune")
