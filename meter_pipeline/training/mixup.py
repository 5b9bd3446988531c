"""An epoch's batches: some samples of each photo in random order, mixed in pairs (mixup, Zhang et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from meter_pipeline.training.training_photos import TrainingPhotos

MIXUP = 0.4
"""Both parameters of mixup's beta distribution, on feature maps and embeddings: 0 would mix nothing."""
SAMPLES_PER_EPOCH = 3
"""Samples of each photo that one epoch uses."""


@dataclass(frozen=True)
class MixedBatch:
    """Samples that were mixed in pairs.

    Attributes:
        inputs: what the network is fed with; its first dimension is the samples.
        labels: class index of the first of each pair.
        others: class index of the second.
        share: of the first in the mixture, 0 to 1, the same for all pairs.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    others: torch.Tensor
    share: float

    def to(self, device: torch.device) -> MixedBatch:
        """Return the batch on a device."""
        return MixedBatch(self.inputs.to(device), self.labels.to(device), self.others.to(device), self.share)


def batches_per_epoch(photos: TrainingPhotos, batch_size: int) -> int:
    """Return the number of batches in an epoch."""
    return math.ceil(len(photos) * _taken(photos) / batch_size)


def mixed_batches(
    photos: TrainingPhotos, inputs_of: Callable[[np.ndarray, np.ndarray], torch.Tensor], *, batch_size: int, seed: int
) -> Iterator[MixedBatch]:
    """Yield the batches of an epoch.

    Args:
        photos: the photos.
        inputs_of: returns what the network is fed with, from rows of photos and the number of a sample of each.
        batch_size: samples in a batch.
        seed: of which samples are taken, and of how they are mixed.
    """
    random = np.random.default_rng(seed)
    labels, count, taken = torch.from_numpy(photos.labels), len(photos), _taken(photos)
    picks = np.stack([random.permutation(photos.samples)[:taken] for _ in range(count)])
    pairs = np.stack([np.repeat(np.arange(count), taken), picks.ravel()], axis=1)
    random.shuffle(pairs)
    for start in range(0, len(pairs), batch_size):
        rows, samples = pairs[start : start + batch_size].T
        inputs, of_rows = inputs_of(rows, samples), labels[rows]
        share, other = float(random.beta(MIXUP, MIXUP)), torch.from_numpy(random.permutation(len(rows)))
        yield MixedBatch(share * inputs + (1 - share) * inputs[other], of_rows, of_rows[other], share)


def _taken(photos: TrainingPhotos) -> int:
    return min(SAMPLES_PER_EPOCH, photos.samples)
