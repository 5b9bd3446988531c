"""An epoch's batches: some samples of every photo, mixed in pairs."""

from __future__ import annotations

import numpy as np
import torch

from meter_pipeline.training.mixup import SAMPLES_PER_EPOCH, MixedBatch, batches_per_epoch, mixed_batches
from meter_pipeline.training.training_photos import TrainingPhotos
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, embeddings_of, photos

SAMPLES, BATCH_SIZE = 5, 7


def some_photos() -> TrainingPhotos:
    """Photos whose outputs say which photo and which sample they are."""
    tuned, labels = photos(KNOWN_CENTRES, 2, 1)
    count = len(labels)
    numbers = torch.stack(torch.meshgrid(torch.arange(count), torch.arange(SAMPLES), indexing="ij"), dim=-1)
    return TrainingPhotos(
        image_ids=[str(number) for number in range(count)],
        labels=labels,
        groups=np.arange(count),
        outputs=numbers.float(),
        embeddings=embeddings_of(tuned),
    )


def epoch(train: TrainingPhotos, seed: int) -> tuple[list[MixedBatch], list[tuple[int, int]]]:
    """The batches, and the photo and sample that were asked for, in order."""
    asked: list[tuple[int, int]] = []

    def inputs_of(rows: np.ndarray, samples: np.ndarray) -> torch.Tensor:
        asked.extend(zip(rows.tolist(), samples.tolist(), strict=True))
        return train.outputs[rows, samples]

    return list(mixed_batches(train, inputs_of, batch_size=BATCH_SIZE, seed=seed)), asked


def test_an_epoch_takes_as_many_different_samples_of_every_photo() -> None:
    train = some_photos()
    batches, asked = epoch(train, 0)
    assert len(batches) == batches_per_epoch(train, BATCH_SIZE)
    assert len(asked) == len(set(asked)) == len(train) * SAMPLES_PER_EPOCH
    assert {row for row, _ in asked} == set(range(len(train)))
    assert epoch(train, 0)[1] == asked
    assert epoch(train, 1)[1] != asked


def test_inputs_are_mixed_in_the_share_that_labels_count() -> None:
    train = some_photos()
    batches, asked = epoch(train, 3)
    start = 0
    for batch in batches:
        rows = np.array([row for row, _ in asked[start : start + len(batch.labels)]])
        start += len(batch.labels)
        assert 0 <= batch.share <= 1
        assert batch.labels.tolist() == train.labels[rows].tolist()
        others = (batch.inputs[:, 0] - batch.share * torch.from_numpy(rows)) / (1 - batch.share)
        assert batch.others.tolist() == train.labels[others.round().long().numpy()].tolist()
