"""Photos through the network, once each: logits and embeddings from one pass; their colours, and their print."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.recognition.colours import COLOURS, photo_colours
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.plate_reading import nothing_read, plate_codes, reader_id, require_plate_reader

_logger = logging.getLogger(__name__)

PHOTOS_A_PASS = {"cpu": 4, "cuda": 64}
"""Photos a forward pass, by device; a short one is padded: a photo's numbers never depend on its neighbours."""
KEPT_PIXELS = 2_000_000
"""A larger photo is decoded twice rather than held while its pass finds out where the meter is."""
PHOTOS_A_BATCH = 64
"""Photos handed out at a time: what a killed run loses at most."""


@dataclass(frozen=True)
class Features:
    """Features of some photos under one model.

    Attributes:
        image_ids: the photos that have features.
        logits: photos x classes, float32, averaged over the views.
        embedding: photos x dimensions, float32, after fine-tuning, averaged over the views (`Preprocess.embedding`).
        pretrained_embedding: photos x dimensions, float32, before fine-tuning, likewise.
        whole_embedding: photos x dimensions, float32, before fine-tuning, of the first view alone: the whole photo.
        close_embedding: photos x dimensions, float32, after fine-tuning, of the last view alone: the closest.
        colours: photos x `colours.COLOURS`, float32, shares of the colours of the photo's middle.
        printed: photos x codes, int32, what was read on the plates; nothing where the model does not ask for it.
        failures: why a photo has none, by image_id.
    """

    image_ids: list[str]
    logits: np.ndarray
    embedding: np.ndarray
    pretrained_embedding: np.ndarray
    whole_embedding: np.ndarray
    close_embedding: np.ndarray
    colours: np.ndarray
    printed: np.ndarray
    failures: dict[str, str]


def extract_features(
    model: MeterModel, photos: Sequence[tuple[str, Path | bytes]], *, plates: Path | None = None
) -> Iterator[Features]:
    """Put photos through the network; iterate inside `compute.one_thread_each`, as threads of ours share the work.

    Args:
        model: the model.
        photos: image_id and file, or bytes, of each photo.
        plates: folder where what is read on plates is kept; None: nowhere.

    Yields:
        Batches of up to `PHOTOS_A_BATCH`, in order.
    """
    size = PHOTOS_A_PASS[model.device.type]
    passes = [photos[start : start + size] for start in range(0, len(photos), size)]
    a_batch = max(1, PHOTOS_A_BATCH // size)
    ahead = a_batch
    if model.reads_plates:
        require_plate_reader()
        ahead = max(a_batch, os.cpu_count() or 1)  # plates are read on the processor, a pass each, large as passes are
        _warn_of_another_reader(model.version, model.card.guard.get("reader"))
    gathered: list[Features] = []
    for done in in_parallel(lambda some: _one_pass(model, some, size, plates), passes, ahead=ahead):
        gathered.append(done)
        if len(gathered) == a_batch:
            yield _together(gathered)
            gathered = []
    if gathered:
        yield _together(gathered)


@cache
def _warn_of_another_reader(model_version: str, reader: str | None) -> None:
    if reader != reader_id():
        _logger.warning(
            "Model %s was trained with plates read by %s; here they are read by %s. Train anew: meter train",
            *(model_version, reader or "a reader that is not known", reader_id()),
        )


def _one_pass(
    model: MeterModel, photos: Sequence[tuple[str, Path | bytes]], size: int, plates: Path | None
) -> Features:
    image_ids, pixels, again, colours, printed, failures = [], [], [], [], [], {}
    for image_id, content in photos:
        try:
            image = model.preprocess.open(content)
            codes = plate_codes(content, image_id=image_id, folder=plates) if model.reads_plates else nothing_read(1)[0]
            pixels.append(model.preprocess.framed_pixels(image))
            small = image.width * image.height <= KEPT_PIXELS
            again.append(image if small else content.read_bytes() if isinstance(content, Path) else content)
            colours.append(photo_colours(model.preprocess, image))
            printed.append(codes)
            image_ids.append(image_id)
        except PhotoError as error:
            failures[image_id] = error.what
        except FileNotFoundError:
            failures[image_id] = "The photo is not in the store any more; fetch its URL again (retry failed)."
    if not pixels:
        widths = (len(model.classes), *[model.card.dimensions] * 4, COLOURS)
        logits, tuned, pretrained, whole, close, shown = (np.zeros((0, width), np.float32) for width in widths)
    else:
        (logits, tuned, pretrained, whole, close), shown = _forward(model, pixels, again, size), np.stack(colours)
    read = np.stack(printed) if printed else nothing_read(0)
    return Features(image_ids, logits, tuned, pretrained, whole, close, shown, read, failures)


def _forward(
    model: MeterModel, pixels: list[np.ndarray], again: list[Image.Image | bytes], size: int
) -> list[np.ndarray]:
    """Return logits and embeddings as `Features` has them; for the located views the photos are looked at again."""
    preprocess, views = model.preprocess, len(model.preprocess.views)
    with torch.inference_mode():
        maps = _through_trunk(model, pixels, size)
        if preprocess.located_views:
            framed = maps.unflatten(0, (size, -1))
            wholes = framed[:, 0].cpu().numpy()
            closer = [
                preprocess.located_pixels(
                    photo if isinstance(photo, Image.Image) else preprocess.open(photo), wholes[row]
                )
                for row, photo in enumerate(again)
            ]
            located = _through_trunk(model, closer, size).unflatten(0, (size, -1))
            maps = torch.cat([framed, located], dim=1).flatten(0, 1)
            if maps.ndim == 4:
                maps = maps.contiguous(memory_format=torch.channels_last)
        tuned, pretrained = model.tuned_block(maps), model.pretrained_block(maps)
        logits, tuned, pretrained = (part.view(size, views, -1) for part in (model.head(tuned), tuned, pretrained))
        together = (logits.mean(dim=1), preprocess.embedding(tuned), preprocess.embedding(pretrained))
        return [values[: len(pixels)].cpu().numpy() for values in (*together, pretrained[:, 0], tuned[:, -1])]


def _through_trunk(model: MeterModel, pixels: list[np.ndarray], size: int) -> torch.Tensor:
    """Return what the trunk makes of the views of `size` photos, one after the other; the first fills up."""
    padded = np.concatenate([*pixels, *[pixels[0]] * (size - len(pixels))])
    return model.trunk(model.preprocess.normalise(padded).to(model.device))


def _together(batches: Sequence[Features]) -> Features:
    return Features(
        image_ids=[image_id for batch in batches for image_id in batch.image_ids],
        logits=np.concatenate([batch.logits for batch in batches]),
        embedding=np.concatenate([batch.embedding for batch in batches]),
        pretrained_embedding=np.concatenate([batch.pretrained_embedding for batch in batches]),
        whole_embedding=np.concatenate([batch.whole_embedding for batch in batches]),
        close_embedding=np.concatenate([batch.close_embedding for batch in batches]),
        colours=np.concatenate([batch.colours for batch in batches]),
        printed=np.concatenate([batch.printed for batch in batches]),
        failures={image_id: reason for batch in batches for image_id, reason in batch.failures.items()},
    )
