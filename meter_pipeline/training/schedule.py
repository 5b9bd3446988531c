"""How a training goes: how long, from which seed, over which trunk outputs; the same for the model and its folds."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from meter_pipeline.settings import TrainingSettings
from meter_pipeline.training.trunk_cache import TrunkCache


class TrainingStopped(Exception):
    """A training was told to stop."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long to train, and from which seed.

    Attributes:
        epochs_head: epochs of phase 1.
        epochs_tune: epochs of phase 2.
        patience: epochs without a better val loss before a phase stops.
        batch_size: samples per step.
        seed: of every random choice.
    """

    epochs_head: int
    epochs_tune: int
    patience: int
    batch_size: int
    seed: int

    @classmethod
    def from_settings(cls, settings: TrainingSettings) -> Schedule:
        """Return the schedule that the settings ask for."""
        return cls(
            epochs_head=settings.epochs_head,
            epochs_tune=settings.epochs_tune,
            patience=settings.patience,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """What a training needs beside its photos; that of a fold differs in seed and folder alone.

    Attributes:
        schedule: how long to train, and from which seed.
        cache: the trunk's outputs of all the photos; a copy of its backbone's last block is tuned.
        checkpoints: folder for what a training that was killed goes on from.
        stopping: set where the result is not wanted any more; the training then ends with `TrainingStopped`.
    """

    schedule: Schedule
    cache: TrunkCache
    checkpoints: Path
    stopping: threading.Event = field(default_factory=threading.Event)
