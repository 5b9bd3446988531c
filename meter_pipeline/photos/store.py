"""Every downloaded photo once, under the SHA-256 of its bytes; each was fully decoded and measured before."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.photos.decoding import open_photo
from meter_pipeline.photos.photo_files import image_id_of
from meter_pipeline.photos.quality import Quality, measure
from meter_pipeline.storage.files import TEMPORARY_PREFIX, write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.leftovers import LEFTOVER_AFTER_S
from meter_pipeline.storage.set_aside import set_aside

__all__ = ["PhotosMet", "StoredPhoto", "image_id_of", "set_damaged_aside", "store", "stored_ids", "stored_sizes"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredPhoto:
    """A photo in the store.

    Attributes:
        image_id: SHA-256 of its bytes, in hex.
        bytes: size of the file.
        width: pixels, upright.
        height: pixels, upright.
        format: Pillow's word, e.g. `JPEG`.
        quality: what was measured of it.
        notes: what was unusual about the file, e.g. `animated: first frame`; None if nothing was.
    """

    image_id: str
    bytes: int
    width: int
    height: int
    format: str
    quality: Quality
    notes: str | None = None

    def columns(self) -> dict[str, object]:
        """Return it as columns of `url_images`."""
        row = vars(self) | vars(self.quality)
        del row["quality"]
        return row


def store(layout: Layout, content: bytes) -> StoredPhoto:
    """Check a photo's bytes and put them into the store, unless they are there already, sound.

    Raises:
        PhotoError: the bytes are not a photo, or one that cannot be used; nothing was written.
        StorageError: the disk is full or not ours to write.
    """
    photo = open_photo(content)
    stored = StoredPhoto(
        image_id_of(content),
        len(content),
        photo.width,
        photo.height,
        photo.format,
        measure(photo.image),
        "; ".join(photo.notes) or None,
    )
    path = layout.image(stored.image_id)
    if not _is_there(path, content):
        write_bytes(path, content)
    return stored


class PhotosMet:
    """Stores photos as `store` does; one whose bytes it has met lately is not decoded and measured again.

    For one run: it takes a photo's file for sound that it wrote or found so itself. Shared by threads; as many decode
    at a time as there are cores, since a photo may take hundreds of megabytes meanwhile.

    Args:
        layout: where the store is.
        most: photos that are remembered; those that were met last.
    """

    def __init__(self, layout: Layout, most: int = 4096) -> None:
        self._layout, self._most = layout, most
        self._met: OrderedDict[str, StoredPhoto] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(os.cpu_count() or 1)

    def store(self, content: bytes) -> StoredPhoto:
        """Put a photo's bytes into the store; raises as `store`."""
        image_id = image_id_of(content)
        with self._lock:
            known = self._met.get(image_id)
            if known is not None:
                self._met.move_to_end(image_id)
        if known is not None and _has_size(self._layout.image(image_id), len(content)):
            return known
        with self._decoding:
            stored = store(self._layout, content)
        with self._lock:
            self._met[image_id] = stored
            if len(self._met) > self._most:
                self._met.popitem(last=False)
        return stored


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _is_there(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def set_damaged_aside(layout: Layout, image_id: str) -> None:
    """Move a photo that was found damaged out of the store, so that the next update fetches it again.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    path = layout.image(image_id)
    if path.is_file():
        kept = set_aside(layout, path)
        _logger.warning("Photo %s is damaged: its file is %s now, and is fetched again.", image_id[:12], kept)


def stored_ids(layout: Layout) -> set[str]:
    """Return the image_ids of every photo in the store."""
    return set(stored_sizes(layout))


def stored_sizes(layout: Layout, *, sweep: bool = False) -> dict[str, int]:
    """Return the bytes of each photo's file in the store, by image_id.

    Args:
        layout: where the store is.
        sweep: also remove what a killed run left half-written long ago; for those who write to the store.
    """
    found: dict[str, int] = {}
    oldest = time.time() - LEFTOVER_AFTER_S
    for folder in layout.images.glob("??") if layout.images.is_dir() else ():
        with os.scandir(folder) as files:  # not Path objects: there may be hundreds of thousands of files
            for file in files:
                if file.name.startswith(TEMPORARY_PREFIX):
                    if sweep and file.stat().st_mtime < oldest:
                        Path(file.path).unlink(missing_ok=True)
                elif file.name.endswith(".jpg"):
                    with suppress(OSError):  # a link to nowhere is no photo
                        found[file.name.removesuffix(".jpg")] = file.stat().st_size
    return found
