"""Photos through the network, each once: logits and embeddings from one pass, beside them colours and print."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.photo_files import read_photo
from meter_pipeline.recognition.colours import photo_colours
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.plate_reading import nothing_read, plate_codes, reader_id, require_plate_reader

_logger = logging.getLogger(__name__)

PHOTOS_PER_PASS = {"cpu": 4, "cuda": 64}
"""Photos per forward pass, by device. A short pass is padded, so that a photo's numbers never depend on its neighbours.
"""
KEPT_PIXELS = 2_000_000
"""A larger photo is decoded twice rather than held while its pass finds out where the meter is."""
PHOTOS_PER_BATCH = 64
"""Photos handed out at a time; a run that is killed loses no more."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of some photos under one model, one row per photo.

    Attributes:
        image_ids: the photos that have features.
        logits: photos x classes, float32, averaged over the views.
        embeddings: of the views together, as they come (`Preprocess.embedding`), not normalised.
        failures: why a photo has none, by image_id.
    """

    image_ids: list[str]
    logits: np.ndarray
    embeddings: Embeddings
    failures: dict[str, str]


def extract_features(
    model: MeterModel, photos: Iterable[tuple[str, Path | bytes]], *, plates: Path | None = None
) -> Iterator[Features]:
    """Put photos through the network; iterate inside `device.one_thread_each`, as threads of ours share the work.

    Args:
        model: the model.
        photos: image_id and file, or bytes, of each photo; taken as they come.
        plates: folder where what is read on plates is kept; None: it is not kept.

    Yields:
        Features of up to `PHOTOS_PER_BATCH` photos, in order.
    """
    size = PHOTOS_PER_PASS[model.device.type]
    left = iter(photos)
    passes = iter(lambda: list(islice(left, size)), [])
    passes_per_batch = max(1, PHOTOS_PER_BATCH // size)
    ahead = passes_per_batch
    if model.reads_plates:
        require_plate_reader()
        # Plates are read on the processor, one pass's on each core, and a pass on a GPU is large.
        ahead = max(passes_per_batch, os.cpu_count() or 1)
        _warn_of_another_reader(model.version, model.card.guard["reader"])
    gathered: list[Features] = []
    for done in in_parallel(lambda some: _one_pass(model, some, size, plates), passes, ahead=ahead):
        gathered.append(done)
        if len(gathered) == passes_per_batch:
            yield _together(gathered)
            gathered = []
    if gathered:
        yield _together(gathered)


@cache
def _warn_of_another_reader(model_version: str, reader: str) -> None:
    if reader != reader_id():
        _logger.warning(
            "Model %s was trained with plates read by %s; here they are read by %s. Train again: meter train",
            model_version,
            reader,
            reader_id(),
        )


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A photo that could be decoded.

    Attributes:
        image_id: the photo.
        framed: its framed views, views x side x side x 3, uint8.
        photo: what its located views are cut from: the decoded photo, or its bytes where it is large.
        colours: see `Embeddings`.
        printed: see `Embeddings`.
    """

    image_id: str
    framed: np.ndarray
    photo: Image.Image | bytes
    colours: np.ndarray
    printed: np.ndarray


def _one_pass(
    model: MeterModel, photos: Sequence[tuple[str, Path | bytes]], size: int, plates: Path | None
) -> Features:
    opened, failures = [], {}
    for image_id, content in photos:
        try:
            opened.append(_open(model, image_id, content, plates))
        except PhotoError as error:
            failures[image_id] = error.what
    if opened:
        return replace(_forward(model, opened, size), failures=failures)
    return Features(
        image_ids=[],
        logits=np.zeros((0, len(model.classes)), np.float32),
        embeddings=Embeddings.empty(model.card.dimensions),
        failures=failures,
    )


def _open(model: MeterModel, image_id: str, content: Path | bytes, plates: Path | None) -> _Opened:
    photo = read_photo(content) if isinstance(content, Path) else content  # once: what is checked is what is decoded
    image = model.preprocess.open(photo)
    printed = plate_codes(photo, image_id=image_id, folder=plates) if model.reads_plates else nothing_read(1)[0]
    small = image.width * image.height <= KEPT_PIXELS
    return _Opened(
        image_id=image_id,
        framed=model.preprocess.framed_pixels(image),
        photo=image if small else photo,
        colours=photo_colours(model.preprocess, image),
        printed=printed,
    )


def _forward(model: MeterModel, opened: Sequence[_Opened], size: int) -> Features:
    """Put at least one photo through the network: the framed views, then the located ones that follow from them."""
    preprocess, views = model.preprocess, len(model.preprocess.views)
    with torch.inference_mode():
        framed = _through_trunk(model, [photo.framed for photo in opened], size).unflatten(0, (size, -1))
        wholes = framed[:, 0].cpu().numpy()
        closer = [_located_pixels(preprocess, opened[row].photo, wholes[row]) for row in range(len(opened))]
        located = _through_trunk(model, closer, size).unflatten(0, (size, -1))
        maps = torch.cat([framed, located], dim=1).flatten(0, 1)
        if maps.ndim == 4:  # a backbone with feature maps, which is faster with channels last
            maps = maps.contiguous(memory_format=torch.channels_last)
        tuned, pretrained = model.tuned_block(maps), model.pretrained_block(maps)
        logits, tuned, pretrained = (part.view(size, views, -1) for part in (model.head(tuned), tuned, pretrained))

        def kept(values: torch.Tensor) -> np.ndarray:
            return values[: len(opened)].cpu().numpy()

        return Features(
            image_ids=[photo.image_id for photo in opened],
            logits=kept(logits.mean(dim=1)),
            embeddings=Embeddings(
                tuned=kept(preprocess.embedding(tuned)),
                pretrained=kept(preprocess.embedding(pretrained)),
                colours=np.stack([photo.colours for photo in opened]),
                printed=np.stack([photo.printed for photo in opened]),
            ),
            failures={},
        )


def _located_pixels(preprocess: Preprocess, photo: Image.Image | bytes, whole: np.ndarray) -> np.ndarray:
    image = photo if isinstance(photo, Image.Image) else preprocess.open(photo)
    return preprocess.located_pixels(image, whole)


def _through_trunk(model: MeterModel, pixels: list[np.ndarray], size: int) -> torch.Tensor:
    """Return what the trunk makes of the views of `size` photos, one after the other; the first photo fills it up."""
    padded = np.concatenate([*pixels, *[pixels[0]] * (size - len(pixels))])
    return model.trunk(model.preprocess.normalise(padded).to(model.device))


def _together(batches: Sequence[Features]) -> Features:
    return Features(
        image_ids=[image_id for batch in batches for image_id in batch.image_ids],
        logits=np.concatenate([batch.logits for batch in batches]),
        embeddings=Embeddings.together([batch.embeddings for batch in batches]),
        failures={image_id: reason for batch in batches for image_id, reason in batch.failures.items()},
    )
