"""The photos that a model is trained on: their files, and what the training and the guard look at of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from meter_pipeline.labels import Split
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.recognition.colours import photo_colours
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.recognition.plate_reading import nothing_read, read_plates
from meter_pipeline.recognition.scores import Known, Seen
from meter_pipeline.training.trunk_cache import PHOTOS_AHEAD, PHOTOS_PER_PASS, TrunkCache, block_outputs


@dataclass(frozen=True, kw_only=True)
class PhotoFiles:
    """Photos of the split that were not read yet, one entry per photo.

    Attributes:
        image_ids: the photos.
        paths: their files.
        labels: class index of each photo.
        groups: index of each photo's near-duplicate group.
        samples: as how many samples the trunk's outputs of each photo are kept.
    """

    image_ids: list[str]
    paths: list[Path]
    labels: np.ndarray
    groups: np.ndarray
    samples: int

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.image_ids)

    @property
    def by_id(self) -> list[tuple[str, Path]]:
        """image_id and file of each photo."""
        return list(zip(self.image_ids, self.paths, strict=True))


@dataclass(frozen=True, kw_only=True)
class TrainingPhotos:
    """Photos that were read, one row per photo.

    Attributes:
        image_ids: the photos.
        labels: class index of each photo.
        groups: index of each photo's near-duplicate group.
        outputs: what the last block makes of each sample before it is tuned, photos x samples x dimensions.
        embeddings: what the guard compares, not normalised; nothing is tuned yet, so `tuned` is as `pretrained`.
    """

    image_ids: list[str]
    labels: np.ndarray
    groups: np.ndarray
    outputs: torch.Tensor
    embeddings: Embeddings

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.image_ids)

    @property
    def samples(self) -> int:
        """As how many samples the trunk's outputs of each photo are kept."""
        return self.outputs.shape[1]

    def take(self, rows: np.ndarray) -> TrainingPhotos:
        """Return some of the photos, by row numbers."""
        return TrainingPhotos(
            image_ids=[self.image_ids[row] for row in rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            outputs=self.outputs[torch.from_numpy(rows)],
            embeddings=self.embeddings.take(rows),
        )

    def seen(self, logits: np.ndarray, tuned: np.ndarray) -> Seen:
        """Return the photos as the guard scores them.

        Args:
            logits: what a trained network says of them, photos x classes.
            tuned: their embeddings after fine-tuning, photos x dimensions, not normalised.
        """
        return Seen(logits=logits, embeddings=replace(self.embeddings, tuned=tuned).normalised())

    def seen_whole(self, logits: np.ndarray, tuned: np.ndarray) -> Seen:
        """As `seen`, of the view of the whole alone."""
        embeddings = replace(self.embeddings, tuned=tuned, pretrained=self.outputs[:, 0].numpy())
        return Seen(logits=logits, embeddings=embeddings.normalised())

    def known(self, tuned: np.ndarray) -> Known:
        """Return the photos as the guard compares others with them; `tuned` is as for `seen`."""
        embeddings = replace(self.embeddings, tuned=tuned).normalised()
        return Known(labels=self.labels, groups=self.groups, embeddings=embeddings)


@dataclass(frozen=True, kw_only=True)
class SplitFiles:
    """The files of a split.

    Attributes:
        classes: those of the train photos, sorted, as are the model's outputs.
        train: photos to train on.
        val: photos of these classes that choose the epoch; may be empty.
    """

    classes: list[str]
    train: PhotoFiles
    val: PhotoFiles


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The photos of a split, read.

    Attributes:
        classes: as in `SplitFiles`.
        train: photos to train on.
        val: photos that choose the epoch; None if there are none.
    """

    classes: list[str]
    train: TrainingPhotos
    val: TrainingPhotos | None

    @property
    def image_ids(self) -> list[str]:
        """The train photos, then the val photos."""
        return [*self.train.image_ids, *(self.val.image_ids if self.val is not None else [])]

    def names(self, photos: TrainingPhotos) -> list[str]:
        """Return the name of each photo's class."""
        return [self.classes[label] for label in photos.labels]


def files_of_split(split: pd.DataFrame, raw: Path, *, train_samples: int, val_samples: int) -> SplitFiles:
    """Return the photos of a split that a model is trained on.

    Args:
        split: rows of `dataset_split`.
        raw: folder of the labelled photos.
        train_samples: as how many samples the trunk's outputs of each train photo are kept.
        val_samples: the same of each val photo.
    """
    classes = sorted(split.loc[split["split"] == Split.TRAIN, "label"].unique())
    return SplitFiles(
        classes=classes,
        train=_files(split[split["split"] == Split.TRAIN], classes, raw, train_samples),
        val=_files(split[(split["split"] == Split.VAL) & split["label"].isin(classes)], classes, raw, val_samples),
    )


def _files(rows: pd.DataFrame, classes: Sequence[str], raw: Path, samples: int) -> PhotoFiles:
    rows = rows.sort_values("image_id")
    index_of = {label: index for index, label in enumerate(classes)}
    return PhotoFiles(
        image_ids=rows["image_id"].tolist(),
        paths=[raw / path for path in rows["path"]],
        labels=np.array([index_of[label] for label in rows["label"]], np.int64),
        groups=pd.factorize(rows["group_id"])[0].astype(np.int64),
        samples=samples,
    )


def read_photos(files: SplitFiles, cache: TrunkCache, *, plates: Path | None) -> TrainingSet:
    """Read what the training and the guard look at; what the cache lacks of the trunk's outputs is computed.

    Args:
        files: the photos.
        cache: the trunk's outputs of these photos.
        plates: folder where what is read on plates is kept; None: plates are not read.

    Raises:
        PhotoError: a photo cannot be decoded any more.
        WeightsError: the trunk cannot be written as what computes it.
    """
    colours = [_filled(part, cache) for part in (files.train, files.val)]
    with one_thread_each():
        return TrainingSet(
            classes=files.classes,
            train=_read(files.train, cache, plates, colours[0]),
            val=_read(files.val, cache, plates, colours[1]) if len(files.val) else None,
        )


def _filled(files: PhotoFiles, cache: TrunkCache) -> dict[str, np.ndarray]:
    """Compute what the cache lacks, and return the colours of the photos that had to be decoded for it."""
    colours: dict[str, np.ndarray] = {}

    def look_at(image_id: str, image: Image.Image) -> None:
        colours[image_id] = photo_colours(cache.preprocess, image)

    cache.fill(files.by_id, files.samples, on_open=look_at)
    return colours


def _read(
    files: PhotoFiles, cache: TrunkCache, plates: Path | None, colours: Mapping[str, np.ndarray]
) -> TrainingPhotos:
    block = cache.backbone.last_block.eval().requires_grad_(False).to(cache.device)
    parts = [files.image_ids[start : start + PHOTOS_PER_PASS] for start in range(0, len(files), PHOTOS_PER_PASS)]
    work = in_parallel(lambda names: block_outputs(block, cache, names, files.samples), parts, ahead=PHOTOS_AHEAD)
    outputs = torch.cat(list(work))
    pretrained = cache.preprocess.embedding(outputs[:, : len(cache.preprocess.views)].numpy())
    return TrainingPhotos(
        image_ids=files.image_ids,
        labels=files.labels,
        groups=files.groups,
        outputs=outputs,
        embeddings=Embeddings(
            tuned=pretrained,
            pretrained=pretrained,
            colours=_colours(files, cache, colours),
            printed=nothing_read(len(files)) if plates is None else read_plates(files.by_id, plates),
        ),
    )


def _colours(files: PhotoFiles, cache: TrunkCache, known: Mapping[str, np.ndarray]) -> np.ndarray:
    preprocess = cache.preprocess
    left = [(image_id, path) for image_id, path in files.by_id if image_id not in known]
    work = in_parallel(lambda photo: photo_colours(preprocess, preprocess.open(photo[1])), left, ahead=PHOTOS_AHEAD)
    found = dict(known) | {image_id: colours for (image_id, _), colours in zip(left, work, strict=True)}
    return np.stack([found[image_id] for image_id in files.image_ids])
