"""Small pictures of photos, made once and kept under `data/cache/thumbnails`: JPEG, upright, without metadata."""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from pathlib import Path

from PIL import Image

from meter_pipeline.errors import StorageError
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout

THUMBNAIL_SIDE = 160
"""Pixels of the longer side, for pages of many photos."""
PREVIEW_SIDE = 800
"""Pixels of the longer side, for one photo that was opened."""
JPEG_QUALITY = 82

_logger = logging.getLogger(__name__)


def thumbnail(layout: Layout, image_id: str, path: Path, *, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a photo's thumbnail as a JPEG; it is made on the first call and read from the cache later.

    Args:
        layout: the data directory.
        image_id: the photo.
        path: its file. A thumbnail whose file is gone is removed: whoever deletes a photo deletes all of it.
        side: pixels of the longer side; smaller photos stay as they are.

    Raises:
        PhotoError: the file is not there any more, or is no photo.
    """
    kept = layout.cache / "thumbnails" / str(side) / image_id[:2] / f"{image_id}.jpg"
    if not path.is_file():
        with suppress(OSError):
            kept.unlink()
        raise PhotoError("unreadable", "The photo is not on the disk any more.", where=path)
    try:
        return kept.read_bytes()
    except OSError:
        content = small_jpeg(path, side=side)
    try:
        write_bytes(kept, content)
    except (StorageError, OSError) as error:  # a full disk must not hide the photos
        _logger.warning("The thumbnail is not kept: %s", error)
    return content


def small_jpeg(content: bytes | Path, *, side: int) -> bytes:
    """Return a photo as a small JPEG without metadata.

    Raises:
        PhotoError: it is no photo that can be used.
    """
    image = open_photo(content, smallest_side=side).image
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
