"""Every downloaded photo once, under the SHA-256 of its bytes; each was fully decoded and measured before."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from meter_pipeline.photos.decoding import open_photo
from meter_pipeline.photos.quality import Quality, measure
from meter_pipeline.storage.files import TEMPORARY_PREFIX, write_bytes
from meter_pipeline.storage.layout import Layout

LEFTOVER_LIFETIME_S = 3600.0
"""No photo takes so long to write."""


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
        row = {name: value for name, value in asdict(self).items() if name != "quality"}
        return row | asdict(self.quality)


def image_id_of(content: bytes) -> str:
    """Return the name of a photo: the SHA-256 of its bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def store(layout: Layout, content: bytes) -> StoredPhoto:
    """Check a photo's bytes and put them into the store, unless they are there already.

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
    if not path.exists():
        write_bytes(path, content)
    return stored


def stored_ids(layout: Layout) -> set[str]:
    """Return the image_ids of every photo in the store; remove what a killed run left half-written long ago."""
    found: set[str] = set()
    oldest = time.time() - LEFTOVER_LIFETIME_S
    for folder in layout.images.glob("??") if layout.images.is_dir() else ():
        with os.scandir(folder) as files:  # not Path objects: there may be hundreds of thousands of files
            for file in files:
                if file.name.startswith(TEMPORARY_PREFIX):
                    if file.stat().st_mtime < oldest:
                        Path(file.path).unlink(missing_ok=True)
                elif file.name.endswith(".jpg"):
                    found.add(file.name.removesuffix(".jpg"))
    return found
