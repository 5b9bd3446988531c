"""The two phases of a training, head, then last block with it, over kept trunk outputs; a killed one goes on."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.storage.files import replacing
from meter_pipeline.training.trunk_cache import TrunkCache

_logger = logging.getLogger(__name__)

HEAD_LEARNING_RATE = 3e-3
TUNE_LEARNING_RATE = 1e-3
TUNE_HEAD_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
DROPOUT = 0.2
MIXUP = 0.4
"""Both parameters of mixup's beta distribution (Zhang et al. 2018), on feature maps: 0 would mix nothing."""
CLASS_WEIGHT_POWER = 0.5
"""Class weights are (1 / photos of the class) to this power: 1 makes all classes weigh the same, 0 all photos."""
SAMPLES_AN_EPOCH = 3
"""Of the kept samples of a photo, how many an epoch takes."""


@dataclass(frozen=True)
class Schedule:
    """How long and from which seed.

    Attributes:
        epochs_head: epochs of phase 1.
        epochs_tune: epochs of phase 2.
        patience: epochs without a better val loss before a phase stops.
        batch_size: samples a step.
        seed: of every random choice.
    """

    epochs_head: int
    epochs_tune: int
    patience: int
    batch_size: int
    seed: int


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
class TrainingPhotos:
    """Photos whose trunk outputs are kept.

    Attributes:
        image_ids: the photos.
        labels: index of the class, a photo.
        embeddings: photos x samples x dimensions, of the last block before it is tuned.
        colours: shares of the colours, photos x colours; the training does not look at them, the guard does.
        printed: what was read on the plates, photos x codes; likewise.
    """

    image_ids: list[str]
    labels: torch.Tensor
    embeddings: torch.Tensor
    colours: np.ndarray
    printed: np.ndarray

    @property
    def samples(self) -> int:
        """Kept samples of a photo."""
        return self.embeddings.shape[1]


class TwoPhaseTraining:
    """One training: its networks and where it stands.

    Attributes:
        head: from embedding to logits.
        tuned_block: the last block, as far as it is tuned.
        history: the epochs so far.
    """

    def __init__(
        self,
        train: TrainingPhotos,
        val: TrainingPhotos | None,
        classes: int,
        schedule: Schedule,
        backbone: Backbone,
        cache: TrunkCache,
        checkpoints: Path,
        on_epoch: Callable[[EpochRecord], None] | None = None,
    ) -> None:
        """Prepare a training.

        Args:
            train: photos to train on; every class has one.
            val: photos that choose the epoch; None: the last one is taken.
            classes: number of classes.
            schedule: how long.
            backbone: whose last block is tuned (a copy of it).
            cache: the trunk's outputs of all these photos.
            checkpoints: folder for what a killed training goes on from.
            on_epoch: told of each epoch as it ends.
        """
        self._train, self._val, self._schedule, self._cache = train, val, schedule, cache
        self._checkpoints, self._on_epoch = checkpoints, on_epoch
        self._device = cache.device
        self._views = len(cache.preprocess.views)
        self.history: list[EpochRecord] = []
        torch.manual_seed(schedule.seed)
        self.tuned_block = copy.deepcopy(backbone.last_block).requires_grad_(True).to(self._device)
        self.head = nn.Linear(backbone.dimensions, classes).to(self._device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        counts = torch.bincount(train.labels, minlength=classes).float()
        weights = (counts.sum() / counts) ** CLASS_WEIGHT_POWER
        self._class_weights = (weights / weights.mean()).to(self._device)

    def run(self) -> None:
        """Run both phases, from the last checkpoint where there is one."""
        self._phase("head", self._schedule.epochs_head, [{"params": self.head.parameters(), "lr": HEAD_LEARNING_RATE}])
        if self._schedule.epochs_tune:
            groups = [
                {"params": self.tuned_block.parameters(), "lr": TUNE_LEARNING_RATE},
                {"params": self.head.parameters(), "lr": TUNE_HEAD_LEARNING_RATE},
            ]
            self._phase("tune", self._schedule.epochs_tune, groups)

    def answers(self, image_ids: list[str], samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (photos x classes) and tuned embeddings (photos x dimensions), from all views of each.

        Args:
            image_ids: photos whose trunk outputs are kept.
            samples: as how many samples they are kept.
        """
        embeddings = block_outputs(self.tuned_block, self._cache, image_ids, samples, use=self._views)
        with torch.inference_mode():
            logits = self.head(embeddings.to(self._device)).mean(dim=1).cpu()
        return logits.numpy(), self._cache.preprocess.embedding(embeddings).numpy()

    def _phase(self, phase: str, epochs: int, groups: list[dict[str, Any]]) -> None:
        optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        rates = [group["lr"] for group in optimiser.param_groups]
        photos = len(self._train.image_ids)
        steps_an_epoch = math.ceil(photos * self._taken / self._schedule.batch_size)
        state = self._resume(phase, optimiser)
        best, since_best, first = state["best"], state["since_best"], state["epoch"]
        for epoch in range(first, epochs):
            step, losses, right, seen = epoch * steps_an_epoch, 0.0, 0, 0
            torch.manual_seed(_seed_of(self._schedule.seed, phase, epoch))
            for inputs, labels, others, share in self._batches(phase, epoch):
                rate_share = 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_an_epoch)))
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * rate_share
                logits = self.head(functional.dropout(self._embed(phase, inputs), DROPOUT))
                loss = share * functional.cross_entropy(logits, labels, self._class_weights)
                loss = loss + (1 - share) * functional.cross_entropy(logits, others, self._class_weights)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                losses += float(loss.detach()) * len(labels)
                right += int((logits.argmax(1) == (labels if share >= 0.5 else others)).sum())
                seen, step = seen + len(labels), step + 1
            record = self._record(phase, epoch, losses / seen, right / seen)
            if record.val_loss is None or best is None or record.val_loss < best["val_loss"]:
                best, since_best = {"val_loss": record.val_loss, **self._weights()}, 0
            else:
                since_best += 1
            self._checkpoint(phase, epoch + 1, optimiser, best, since_best)
            if since_best >= self._schedule.patience:
                _logger.info("No better val loss in %d epochs: stopped.", since_best)
                break
        if best is not None:
            self.head.load_state_dict(best["head"])
            self.tuned_block.load_state_dict(best["tuned_block"])

    @property
    def _taken(self) -> int:
        return min(SAMPLES_AN_EPOCH, self._train.samples)

    def _batches(self, phase: str, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]]:
        """Yield mixed inputs, the classes of the two photos in each, and the share of the first."""
        random = np.random.default_rng(_seed_of(self._schedule.seed, phase, epoch))
        count = len(self._train.image_ids)
        picks = np.stack([random.permutation(self._train.samples)[: self._taken] for _ in range(count)])
        pairs = np.stack([np.repeat(np.arange(count), self._taken), picks.ravel()], axis=1)
        random.shuffle(pairs)
        for start in range(0, len(pairs), self._schedule.batch_size):
            batch = pairs[start : start + self._schedule.batch_size]
            if phase == "head":
                inputs = self._train.embeddings[batch[:, 0], batch[:, 1]]
            else:
                ids, samples = self._train.image_ids, self._train.samples
                maps = [self._cache.sample(ids[row], samples, int(sample)) for row, sample in batch]
                inputs = torch.from_numpy(np.stack(maps)).float()
            labels = self._train.labels[batch[:, 0]]
            share, other = float(random.beta(MIXUP, MIXUP)), torch.from_numpy(random.permutation(len(batch)))
            inputs = share * inputs + (1 - share) * inputs[other]
            yield inputs.to(self._device), labels.to(self._device), labels[other].to(self._device), share

    def _embed(self, phase: str, inputs: torch.Tensor) -> torch.Tensor:
        """Return embeddings; phase `head` is fed with them, phase `tune` with the trunk's feature maps."""
        if phase == "head":
            return inputs
        # Batch norm keeps ImageNet's statistics: a few hundred photos in batches of 32 give worse ones.
        return self.tuned_block.eval()(inputs)

    def _record(self, phase: str, epoch: int, loss: float, accuracy: float) -> EpochRecord:
        val_loss = val_accuracy = None
        if self._val is not None:
            logits = self._val_logits(phase, self._val)
            val_loss = float(functional.cross_entropy(logits, self._val.labels))
            val_accuracy = float((logits.argmax(1) == self._val.labels).float().mean())
        record = EpochRecord(phase, epoch + 1, loss, accuracy, val_loss, val_accuracy)
        self.history.append(record)
        if self._on_epoch:
            self._on_epoch(record)
        return record

    def _val_logits(self, phase: str, val: TrainingPhotos) -> torch.Tensor:
        if phase == "tune":
            return torch.from_numpy(self.answers(val.image_ids, val.samples)[0])
        with torch.inference_mode():
            return self.head(val.embeddings.to(self._device)).mean(dim=1).cpu()

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
        with replacing(self._checkpoints / f"{phase}.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self, phase: str, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        path = self._checkpoints / f"{phase}.pt"
        if not path.exists():
            return {"epoch": 0, "best": None, "since_best": 0}
        state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        self.head.load_state_dict(state["head"])
        self.tuned_block.load_state_dict(state["tuned_block"])
        optimiser.load_state_dict(state["optimiser"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        if state["since_best"] >= self._schedule.patience:
            state["epoch"] = 10**9  # it had stopped early
        _logger.info("Going on with phase %s after epoch %d", phase, len(self.history))
        return state


def block_outputs(
    block: nn.Module, cache: TrunkCache, image_ids: list[str], samples: int, *, use: int | None = None
) -> torch.Tensor:
    """Return what a last block makes of kept trunk outputs: photos x samples x dimensions.

    Args:
        block: the block, on the cache's device.
        cache: the trunk's outputs.
        image_ids: the photos.
        samples: as how many samples they are kept.
        use: how many of them, from the first; None: all.
    """
    block.eval()
    rows = []
    with torch.inference_mode():
        for image_id in image_ids:
            maps = torch.from_numpy(cache.maps(image_id, samples, use=use))
            rows.append(block(maps.float().to(cache.device)).cpu())
    return torch.stack(rows)


def _seed_of(seed: int, phase: str, epoch: int) -> int:
    return seed * 100_003 + epoch * 2 + (phase == "tune")
