"""Small pictures of photos, upright and without metadata; the dashboard's are kept under `data/cache/thumbnails`."""

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
END_OF_JPEG = bytes((0xFF, 0xD9))

_logger = logging.getLogger(__name__)


def thumbnail(layout: Layout, image_id: str, path: Path, *, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a photo's thumbnail as a JPEG; it is made on the first call and read from the cache later.

    Args:
        layout: the data directory.
        image_id: the photo.
        path: its file. A thumbnail whose file is gone is removed: whoever deletes a photo deletes all of it.
        side: pixels of the longer side; smaller photos stay as they are.

    Raises:
        PhotoError: the file is not there any more, or is not a photo.
    """
    kept = layout.thumbnails / str(side) / image_id[:2] / f"{image_id}.jpg"
    if not path.is_file():
        with suppress(OSError):
            kept.unlink()
        raise PhotoError("unreadable", "The photo is not on the disk any more.", where=path)
    try:
        content = kept.read_bytes()
    except OSError:
        content = b""
    if content.endswith(END_OF_JPEG):  # otherwise not there yet, or cut
        return content
    content = small_jpeg(path, side=side)
    try:
        write_bytes(kept, content)
    except (StorageError, OSError) as error:  # a full disk must not hide the photos
        _logger.warning("The thumbnail is not kept: %s", error)
    return content


def small_jpeg(
    content: bytes | Path,
    *,
    side: int,
    quality: int = JPEG_QUALITY,
    resampling: Image.Resampling = Image.Resampling.LANCZOS,
    optimize: bool = True,
) -> bytes:
    """Return a photo as a small JPEG, upright and without metadata.

    Args:
        content: the photo, or its file.
        side: pixels of the longer side; a smaller photo stays as it is.
        quality: of the JPEG, 1 to 95.
        resampling: how pixels are averaged.
        optimize: look for the shortest encoding, which takes longer; the pixels are the same.

    Raises:
        PhotoError: it is not a photo, or is one that cannot be used.
    """
    buffer = io.BytesIO()
    small = small_picture(content, box=(side, side), resampling=resampling)
    small.save(buffer, format="JPEG", quality=quality, optimize=optimize)
    return buffer.getvalue()


def small_picture(
    content: bytes | Path, *, box: tuple[int, int], resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Return a photo, upright, as large as fits into a box.

    Args:
        content: the photo, or its file.
        box: width and height in pixels; a smaller photo stays as it is.
        resampling: how pixels are averaged.

    Raises:
        PhotoError: it is not a photo, or is one that cannot be used.
    """
    image = open_photo(content, smallest_side=min(box)).image
    image.thumbnail(box, resampling)
    return image
