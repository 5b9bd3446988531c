"""Photos through the network, each once: logits and embeddings from one pass, beside them colours and print.

A photo is looked at whole; then closer, where the meter is, unless it is plainly known already (`early_exit`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.photo_files import read_photo
from meter_pipeline.recognition.colours import photo_colours
from meter_pipeline.recognition.early_exit import is_dark
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.network.engines import Outputs
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.plate_reading import nothing_read, plate_codes, reader_id, require_plate_reader
from meter_pipeline.recognition.scores import Seen

_logger = logging.getLogger(__name__)

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
        views: number of views that each photo was looked at in, int64.
        failures: why a photo has none, by image_id.
    """

    image_ids: list[str]
    logits: np.ndarray
    embeddings: Embeddings
    views: np.ndarray
    failures: dict[str, str]


def extract_features(
    model: MeterModel, photos: Iterable[tuple[str, Path | bytes]], *, plates: Path | None = None
) -> Iterator[Features]:
    """Put photos through the network; threads of ours share the work.

    Args:
        model: the model.
        photos: image_id and file, or bytes, of each photo; taken as they come.
        plates: folder where what is read on plates is kept; None: it is not kept.

    Yields:
        Features of up to `PHOTOS_PER_BATCH` photos, in order.
    """
    size = model.engine.photos_per_pass
    passes_per_batch = max(1, PHOTOS_PER_BATCH // size)
    ahead = passes_per_batch
    if model.reads_plates:
        require_plate_reader()
        # Plates are read on the processor, one pass's on each core, and a pass on a GPU is large.
        ahead = max(passes_per_batch, os.cpu_count() or 1)
        _warn_of_another_reader(model.version, model.card.guard["reader"])
    gathered: list[Features] = []
    for done in in_parallel(lambda some: _one_pass(model, some, plates), _in_groups(photos, size), ahead=ahead):
        gathered.append(done)
        if len(gathered) == passes_per_batch:
            yield _together(gathered)
            gathered = []
    if gathered:
        yield _together(gathered)


def _in_groups(photos: Iterable[tuple[str, Path | bytes]], size: int) -> Iterator[tuple[tuple[str, Path | bytes], ...]]:
    left = iter(photos)
    while some := tuple(islice(left, size)):
        yield some


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


def _one_pass(model: MeterModel, photos: Sequence[tuple[str, Path | bytes]], plates: Path | None) -> Features:
    opened, failures = [], {}
    for image_id, content in photos:
        try:
            opened.append(_open(model, image_id, content, plates))
        except PhotoError as error:
            failures[image_id] = error.what
    if opened:
        return replace(_forward(model, opened), failures=failures)
    return Features(
        image_ids=[],
        logits=np.zeros((0, len(model.classes)), np.float32),
        embeddings=Embeddings.empty(model.card.dimensions),
        views=np.zeros(0, np.int64),
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


def _forward(model: MeterModel, opened: Sequence[_Opened]) -> Features:
    """Put at least one photo through the network: the framed views, then the located ones that follow from them."""
    preprocess, framed_views = model.preprocess, len(opened[0].framed)
    framed = model.engine.run(np.concatenate([photo.framed for photo in opened]))
    # Of each photo the rows of its views, the framed ones first.
    rows = [list(range(at * framed_views, (at + 1) * framed_views)) for at in range(len(opened))]
    parts, closer = [framed], []
    for at in np.flatnonzero(~_needs_no_closer_views(model, opened, framed)).tolist():
        whole = framed.maps[rows[at][0]]
        closer.append(_located_pixels(preprocess, opened[at].photo, whole))
        first = len(framed.logits) + sum(map(len, closer[:-1]))
        rows[at] += range(first, first + len(closer[-1]))
    if closer and len(closer[0]):
        parts.append(model.engine.run(np.concatenate(closer)))
    logits, tuned, pretrained = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("logits", "tuned", "pretrained")
    )

    def of_photos(of_views: np.ndarray) -> np.ndarray:
        return np.concatenate([preprocess.embedding(of_views[some][None]) for some in rows])

    return Features(
        image_ids=[photo.image_id for photo in opened],
        logits=np.stack([logits[some].mean(axis=0) for some in rows]),
        embeddings=Embeddings(
            tuned=of_photos(tuned),
            pretrained=of_photos(pretrained),
            colours=np.stack([photo.colours for photo in opened]),
            printed=np.stack([photo.printed for photo in opened]),
        ),
        views=np.array([len(some) for some in rows], np.int64),
        failures={},
    )


def _needs_no_closer_views(model: MeterModel, opened: Sequence[_Opened], framed: Outputs) -> np.ndarray:
    """Return for each photo whether the view of the whole says all there is to say, as a mask."""
    if model.early_exit is None:
        return np.zeros(len(opened), bool)
    seen = Seen(
        logits=framed.logits,
        embeddings=Embeddings(
            tuned=framed.tuned,
            pretrained=framed.pretrained,
            colours=np.stack([photo.colours for photo in opened]),
            printed=np.stack([photo.printed for photo in opened]),
        ).normalised(),
    )
    plain = model.early_exit.is_plain(seen, model.reference.known, model.guard, model.classes)
    return plain | np.array([is_dark(photo.framed[0]) for photo in opened])


def _located_pixels(preprocess: Preprocess, photo: Image.Image | bytes, whole: np.ndarray) -> np.ndarray:
    image = photo if isinstance(photo, Image.Image) else preprocess.open(photo)
    return preprocess.located_pixels(image, whole)


def _together(batches: Sequence[Features]) -> Features:
    return Features(
        image_ids=[image_id for batch in batches for image_id in batch.image_ids],
        logits=np.concatenate([batch.logits for batch in batches]),
        embeddings=Embeddings.together([batch.embeddings for batch in batches]),
        views=np.concatenate([batch.views for batch in batches]),
        failures={image_id: reason for batch in batches for image_id, reason in batch.failures.items()},
    )
