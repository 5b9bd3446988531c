"""The two phases of a training: the head, then the last block with it; a training that was killed goes on.

Both phases run over what the frozen trunk made of the photos once (`trunk_cache`), so that an epoch costs only what is
trained.
"""

from __future__ import annotations

import copy
import logging
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from meter_pipeline.storage.files import replacing
from meter_pipeline.training.discriminant_head import discriminant_head, samples_used
from meter_pipeline.training.mixup import batches_per_epoch, mixed_batches
from meter_pipeline.training.schedule import TrainingSetup, TrainingStopped
from meter_pipeline.training.training_photos import TrainingPhotos
from meter_pipeline.training.trunk_cache import TrunkCache, block_input, block_outputs

_logger = logging.getLogger(__name__)

HEAD, TUNE = "head", "tune"
"""Names of the phases."""
HEAD_LEARNING_RATE = 3e-3
TUNE_LEARNING_RATE = 1e-3
TUNE_HEAD_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
DROPOUT = 0.2
CLASS_WEIGHT_POWER = 0.5
"""Class weights are (1 / photos of the class) to this power: 1 makes all classes weigh the same, 0 all photos."""

CHECKPOINT_EVERY_S = 20.0
"""Seconds of training that a kill may cost; the end of a phase is kept at once."""


@dataclass(frozen=True)
class EpochRecord:
    """How an epoch went; losses are cross-entropy, accuracies shares of samples, val is None without a val set."""

    phase: str
    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a network says of photos, one row per photo.

    Attributes:
        logits: from all views, photos x classes.
        tuned: embeddings from all views, photos x dimensions.
        whole_logits: from the view of the whole alone.
        whole_tuned: likewise.
    """

    logits: np.ndarray
    tuned: np.ndarray
    whole_logits: np.ndarray
    whole_tuned: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """The result of a training.

    Attributes:
        tuned_block: the last block, as far as it was tuned.
        head: from embedding to logits, by discriminant analysis of what the tuned block makes of the photos.
        cache: the trunk's outputs that it was trained on.
        history: the epochs, in order.
    """

    tuned_block: nn.Module
    head: nn.Linear
    cache: TrunkCache
    history: tuple[EpochRecord, ...]

    def answers(self, photos: TrainingPhotos) -> Answers:
        """Return what the network says of photos."""
        return _answers(self.tuned_block, self.head, self.cache, photos)


def train_network(
    train: TrainingPhotos,
    val: TrainingPhotos | None,
    setup: TrainingSetup,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainedNetwork:
    """Run both phases, from the last checkpoint where there is one, then fit the head that names photos.

    Call it inside `device.training_threads`.

    Args:
        train: photos to train on; their labels are 0 to the number of classes less 1, and each class has a photo.
        val: photos that choose the epoch; None: the last epoch is taken.
        setup: how to train, and from what.
        on_epoch: called with the record of each epoch as it ends.
    """
    training = _TwoPhaseTraining(train, val, setup, on_epoch)
    training.run()
    views = len(setup.cache.preprocess.views)
    used = samples_used(len(train), views=views, samples=train.samples)
    outputs = block_outputs(training.tuned_block, setup.cache, train.image_ids, train.samples, use=used)
    return TrainedNetwork(
        tuned_block=training.tuned_block,
        head=discriminant_head(training.head, outputs.numpy(), train.labels, views=views),
        cache=setup.cache,
        history=tuple(training.history),
    )


@dataclass(frozen=True)
class _Phase:
    """One phase.

    Attributes:
        name: `HEAD` or `TUNE`.
        epochs: how many at most.
        optimiser: of what is trained in it.
        rates: learning rate of each group of parameters at the start, from which it falls to 0 (half a cosine).
    """

    name: str
    epochs: int
    optimiser: torch.optim.Optimizer
    rates: tuple[float, ...]

    @classmethod
    def of(cls, name: str, epochs: int, groups: list[dict[str, Any]]) -> _Phase:
        optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        return cls(name, epochs, optimiser, tuple(group["lr"] for group in optimiser.param_groups))

    def set_rates(self, step: int, steps_per_epoch: int) -> None:
        """Set the learning rates for a step of the phase, numbered from 0."""
        share = 0.5 * (1 + math.cos(math.pi * step / (self.epochs * steps_per_epoch)))
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share


@dataclass(frozen=True)
class _Standing:
    """Where a phase stands after some epochs.

    Attributes:
        epochs: how many are done.
        best: val loss of the best epoch, as `val_loss`, and the weights after it; None before the first epoch.
        since_best: epochs since then.
    """

    epochs: int = 0
    best: dict[str, Any] | None = None
    since_best: int = 0


class _TwoPhaseTraining:
    """One training: its networks, and the epochs so far."""

    def __init__(
        self,
        train: TrainingPhotos,
        val: TrainingPhotos | None,
        setup: TrainingSetup,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> None:
        self._train, self._val, self._on_epoch = train, val, on_epoch
        self._schedule, self._cache, self._checkpoints = setup.schedule, setup.cache, setup.checkpoints
        self._device = setup.cache.device
        self._steps_per_epoch = batches_per_epoch(train, setup.schedule.batch_size)
        self.history: list[EpochRecord] = []
        self._stopping = setup.stopping
        backbone, classes = setup.cache.backbone, int(train.labels.max()) + 1
        self.tuned_block = copy.deepcopy(backbone.last_block).requires_grad_(True).to(self._device)
        self.head = nn.Linear(backbone.dimensions, classes).to(self._device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        counts = torch.bincount(torch.from_numpy(train.labels), minlength=classes).float()
        weights = (counts.sum() / counts) ** CLASS_WEIGHT_POWER
        self._class_weights = (weights / weights.mean()).to(self._device)

    def run(self) -> None:
        head = {"params": self.head.parameters(), "lr": HEAD_LEARNING_RATE}
        self._run_phase(_Phase.of(HEAD, self._schedule.epochs_head, [head]))
        if self._schedule.epochs_tune:
            groups = [
                {"params": self.tuned_block.parameters(), "lr": TUNE_LEARNING_RATE},
                {"params": self.head.parameters(), "lr": TUNE_HEAD_LEARNING_RATE},
            ]
            self._run_phase(_Phase.of(TUNE, self._schedule.epochs_tune, groups))

    def _run_phase(self, phase: _Phase) -> None:
        standing, saved_at = self._resume(phase), time.monotonic()
        while self._goes_on(phase, standing):
            loss, accuracy = self._run_epoch(phase, standing.epochs)
            record = self._record(phase.name, standing.epochs, loss, accuracy)
            standing = self._after(record, standing)
            if not self._goes_on(phase, standing) or time.monotonic() - saved_at >= CHECKPOINT_EVERY_S:
                self._save_checkpoint(phase, standing)
                saved_at = time.monotonic()
            if standing.since_best >= self._schedule.patience:
                _logger.info("No better val loss in %d epochs: stopped.", standing.since_best)
        if standing.best is not None:
            self._load_weights(standing.best)

    def _goes_on(self, phase: _Phase, standing: _Standing) -> bool:
        return standing.epochs < phase.epochs and standing.since_best < self._schedule.patience

    def _after(self, record: EpochRecord, before: _Standing) -> _Standing:
        """Return where the phase stands after an epoch; without a val set each epoch is better than the last."""
        epochs = before.epochs + 1
        if record.val_loss is None or before.best is None or record.val_loss < before.best["val_loss"]:
            return _Standing(epochs, {"val_loss": record.val_loss, **self._weights()}, 0)
        return _Standing(epochs, before.best, before.since_best + 1)

    def _run_epoch(self, phase: _Phase, epoch: int) -> tuple[float, float]:
        """Return the mean loss, and the share of samples whose larger part was named rightly."""
        step, losses, right, seen = epoch * self._steps_per_epoch, 0.0, 0, 0
        seed = _seed_of(self._schedule.seed, phase.name, epoch)
        dropping = torch.Generator(self._device).manual_seed(seed)
        inputs_of = self._embeddings if phase.name == HEAD else self._feature_maps
        for mixed in mixed_batches(self._train, inputs_of, batch_size=self._schedule.batch_size, seed=seed):
            if self._stopping.is_set():
                raise TrainingStopped
            batch = mixed.to(self._device)
            phase.set_rates(step, self._steps_per_epoch)
            logits = self.head(_dropout(self._embed(phase.name, batch.inputs), dropping))
            loss = batch.share * functional.cross_entropy(logits, batch.labels, self._class_weights)
            loss = loss + (1 - batch.share) * functional.cross_entropy(logits, batch.others, self._class_weights)
            phase.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            phase.optimiser.step()
            losses += float(loss.detach()) * len(batch.labels)
            right += int((logits.argmax(1) == (batch.labels if batch.share >= 0.5 else batch.others)).sum())
            seen, step = seen + len(batch.labels), step + 1
        return losses / seen, right / seen

    def _embeddings(self, rows: np.ndarray, samples: np.ndarray) -> torch.Tensor:
        """Return what the head is fed with: embeddings by the last block before it is tuned."""
        return self._train.outputs[rows, samples]

    def _feature_maps(self, rows: np.ndarray, samples: np.ndarray) -> torch.Tensor:
        """Return what the last block is fed with: the trunk's feature maps."""
        kept_as, ids = self._train.samples, self._train.image_ids
        maps = [self._cache.sample(ids[row], kept_as, int(sample)) for row, sample in zip(rows, samples, strict=True)]
        return block_input(np.stack(maps), torch.device("cpu"))

    def _embed(self, phase: str, inputs: torch.Tensor) -> torch.Tensor:
        if phase == HEAD:
            return inputs
        # Batch norm keeps ImageNet's statistics: a few hundred photos in batches of 32 give worse ones.
        return self.tuned_block.eval()(inputs)

    def _record(self, phase: str, epoch: int, loss: float, accuracy: float) -> EpochRecord:
        val_loss = val_accuracy = None
        if self._val is not None:
            logits, labels = self._val_logits(phase, self._val), torch.from_numpy(self._val.labels)
            val_loss = float(functional.cross_entropy(logits, labels))
            val_accuracy = float((logits.argmax(1) == labels).float().mean())
        record = EpochRecord(phase, epoch + 1, loss, accuracy, val_loss, val_accuracy)
        self.history.append(record)
        if self._on_epoch:
            self._on_epoch(record)
        return record

    def _val_logits(self, phase: str, val: TrainingPhotos) -> torch.Tensor:
        if phase == TUNE:
            return torch.from_numpy(_answers(self.tuned_block, self.head, self._cache, val).logits)
        with torch.inference_mode():
            return self.head(val.outputs.to(self._device)).mean(dim=1).cpu()

    def _weights(self) -> dict[str, Any]:
        return {
            "head": copy.deepcopy(self.head.state_dict()),
            "tuned_block": copy.deepcopy(self.tuned_block.state_dict()),
        }

    def _load_weights(self, weights: dict[str, Any]) -> None:
        self.head.load_state_dict(weights["head"])
        self.tuned_block.load_state_dict(weights["tuned_block"])

    def _save_checkpoint(self, phase: _Phase, standing: _Standing) -> None:
        state = {
            "epoch": standing.epochs,
            "best": standing.best,
            "since_best": standing.since_best,
            "optimiser": phase.optimiser.state_dict(),
            "history": [asdict(record) for record in self.history],
            **self._weights(),
        }
        with replacing(self._checkpoints / f"{phase.name}.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self, phase: _Phase) -> _Standing:
        path = self._checkpoints / f"{phase.name}.pt"
        if not path.exists():
            return _Standing()
        try:
            state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
            _logger.warning("%s is damaged. Phase %s begins anew.", path, phase.name)
            return _Standing()
        self._load_weights(state)
        phase.optimiser.load_state_dict(state["optimiser"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        _logger.info("Going on with phase %s after epoch %d", phase.name, state["epoch"])
        return _Standing(state["epoch"], state["best"], state["since_best"])


def _answers(tuned_block: nn.Module, head: nn.Linear, cache: TrunkCache, photos: TrainingPhotos) -> Answers:
    views = len(cache.preprocess.views)
    outputs = block_outputs(tuned_block, cache, photos.image_ids, photos.samples, use=views)
    with torch.inference_mode():
        logits = head(outputs.to(cache.device)).cpu()
    return Answers(
        logits=logits.mean(dim=1).numpy(),
        tuned=cache.preprocess.embedding(outputs.numpy()),
        whole_logits=logits[:, 0].numpy(),
        whole_tuned=outputs[:, 0].numpy(),
    )


def _dropout(embeddings: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Drop some numbers of embeddings, by a generator of its own: networks are trained beside each other in threads."""
    kept = torch.rand(embeddings.shape, generator=random, device=embeddings.device) >= DROPOUT
    return embeddings * kept / (1 - DROPOUT)


def _seed_of(seed: int, phase: str, epoch: int) -> int:
    return seed * 100_003 + epoch * 2 + (phase == TUNE)
