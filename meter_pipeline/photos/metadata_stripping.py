"""A photo's file for people to copy: no EXIF (places, times, devices), the pixels unchanged where possible.

An upright JPEG only loses the segments that carry metadata, so no pixel changes and nothing is decoded. Any other photo
is decoded and written as a new JPEG by `decoding.jpeg_without_metadata`.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import ExifTags, Image

from meter_pipeline.photos.decoding import PhotoError, jpeg_without_metadata

UPRIGHT = 1
START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN = 0xD8, 0xD9, 0xDA
RESTARTS = range(0xD0, 0xD8)
PICTURE_SEGMENTS = frozenset({0xE0, 0xE2, 0xEE})
"""JFIF, ICC profile and Adobe's colour transform: without the last two, colours change."""
APPLICATION_SEGMENTS = range(0xE0, 0xF0)
COMMENT = 0xFE
PLAIN_MODES = frozenset({"L", "RGB"})


def without_metadata(path: Path) -> bytes:
    """Return the photo as a JPEG without metadata, upright.

    Raises:
        PhotoError: the file is missing, not a photo, or one that cannot be used.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError("unreadable", "The photo's file is not there.", where=path) from error
    stripped = strip_jpeg(content) if _is_plain_upright_jpeg(content) else None
    return jpeg_without_metadata(path) if stripped is None else stripped


def strip_jpeg(content: bytes) -> bytes | None:
    """Return the JPEG without its metadata segments and without what follows its end; None if it is not well formed.

    (ITU-T T.81, annex B. The second pictures and videos that phones append come after the end.)
    """
    if content[:2] != bytes((0xFF, START_OF_IMAGE)):
        return None
    parts, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            end = _end_of_scan(content, end)
        is_metadata = marker in APPLICATION_SEGMENTS and not _shows(marker, content[at + 4 : at + 18])
        if not (is_metadata or marker == COMMENT):
            parts.append(content[at:end])
        at = end
        if content[at : at + 2] == bytes((0xFF, END_OF_IMAGE)):
            return b"".join([*parts, content[at : at + 2]])
    return None


def _shows(marker: int, head: bytes) -> bool:
    """Whether an application segment is needed to show the picture; APP2 also holds lists of further pictures."""
    return marker in PICTURE_SEGMENTS and (marker != 0xE2 or head.startswith(b"ICC_PROFILE"))


def _end_of_scan(content: bytes, at: int) -> int:
    """Return where the next marker after the compressed data is; stuffed zeros and restarts belong to the data."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            return len(content)
        if content[at + 1] != 0 and content[at + 1] not in RESTARTS:
            return at
        at += 2


def _is_plain_upright_jpeg(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            return image.mode in PLAIN_MODES and image.getexif().get(ExifTags.Base.Orientation, UPRIGHT) == UPRIGHT
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
