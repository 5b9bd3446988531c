"""A photo's file for people to copy: nothing in it but the picture (no places, times, devices, previews, comments).

An upright JPEG keeps every pixel: only the segments that the picture needs are taken over, each made anew where it has
room for something else, so nothing is decoded. Any other photo is decoded and written as a new JPEG by
`decoding.jpeg_without_metadata`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

from meter_pipeline.photos.colour_profiles import without_words
from meter_pipeline.photos.decoding import is_upright_jpeg, jpeg_without_metadata
from meter_pipeline.photos.photo_files import read_photo

START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN = 0xD8, 0xD9, 0xDA
HUFFMAN, ARITHMETIC, QUANTISATION, RESTART_INTERVAL = 0xC4, 0xCC, 0xDB, 0xDD
JFIF, ICC, ADOBE = 0xE0, 0xE2, 0xEE
FRAMES = frozenset(range(0xC0, 0xD0)) - {HUFFMAN, 0xC8, ARITHMETIC}
MOST_SEGMENTS = 10_000
"""Cameras write less than a hundred; a file of more is written anew."""
_ICC_HEAD, _JFIF_HEAD, _ADOBE_HEAD = b"ICC_PROFILE\0", b"JFIF\0", b"Adobe"
_ICC_PIECE = 65_519
_NO_PREVIEW = b"\0\0"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WORDS = re.compile(rb"[\x20-\x7e]{24}")
"""Chance makes one in 5,000 photos of 5 MB; it is written anew, that is all."""


def without_metadata(path: Path) -> bytes:
    """Return the photo as a JPEG without metadata, upright.

    Raises:
        PhotoError: the file is missing, damaged, not a photo, or one that cannot be used.
    """
    content = read_photo(path)
    stripped = strip_jpeg(content) if is_upright_jpeg(content) else None
    return jpeg_without_metadata(content) if stripped is None else stripped


def strip_jpeg(content: bytes) -> bytes | None:
    """Return the JPEG with the segments that its picture needs, and nothing else; None if it is not well formed.

    (ITU-T T.81, annex B. The second pictures and videos that phones append come after the end.)
    """
    if content[:2] != bytes((0xFF, START_OF_IMAGE)):
        return None
    heads: dict[int, bytes] = {}
    profile: dict[int, bytes] = {}
    parts: list[bytes] = []
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF and len(parts) < MOST_SEGMENTS:
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at + 4 : end]
        coded_end = _end_of_scan(content, end) if marker == START_OF_SCAN else end
        if marker in (JFIF, ADOBE):
            heads |= _head(marker, segment)
        elif marker == ICC and segment.startswith(_ICC_HEAD):
            profile[segment[12] if len(segment) > 12 else 0] = segment[14:]
        elif not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            if not _is_exact(marker, segment) or _WORDS.search(content, end, coded_end):
                return None
            parts.append(content[at:coded_end])
        at = coded_end
        if content[at : at + 2] == bytes((0xFF, END_OF_IMAGE)):
            colours = without_words(b"".join(profile[number] for number in sorted(profile)))
            return b"".join([content[:2], *heads.values(), *_icc(colours), *parts, content[at : at + 2]])
    return None


def _head(marker: int, segment: bytes) -> dict[int, bytes]:
    """Return a JFIF or Adobe segment made anew, by its marker: previews, and what is appended to it, stay behind."""
    if marker == JFIF and segment.startswith(_JFIF_HEAD) and len(segment) >= 14:
        return {marker: _segment(marker, segment[:12] + _NO_PREVIEW)}
    if marker == ADOBE and segment.startswith(_ADOBE_HEAD) and len(segment) >= 12:
        return {marker: _segment(marker, _ADOBE_HEAD + b"\0\x64\0\0\0\0" + segment[11:12])}
    return {}


def _icc(profile: bytes | None) -> list[bytes]:
    pieces = [profile[at : at + _ICC_PIECE] for at in range(0, len(profile), _ICC_PIECE)] if profile else []
    return [
        _segment(ICC, _ICC_HEAD + bytes((number, len(pieces))) + piece) for number, piece in enumerate(pieces, start=1)
    ]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _is_exact(marker: int, segment: bytes) -> bool:
    """Return whether a segment is one of a picture's, and holds exactly what its kind says."""
    if marker in FRAMES:
        return len(segment) >= 6 and len(segment) == 6 + 3 * segment[5]
    if marker == START_OF_SCAN:
        return len(segment) >= 1 and len(segment) == 4 + 2 * segment[0]
    if marker == RESTART_INTERVAL:
        return len(segment) == 2
    if marker == ARITHMETIC:
        return len(segment) % 2 == 0 and len(segment) <= 64
    if marker == QUANTISATION:
        return _ends_exactly(segment, lambda at: 65 + 64 * (segment[at] >> 4 & 1), most=8)
    if marker == HUFFMAN:
        return _ends_exactly(segment, lambda at: 17 + min(sum(segment[at + 1 : at + 17]), 257), most=8)
    return False


def _ends_exactly(segment: bytes, length_at: Callable[[int], int], *, most: int) -> bool:
    """Return whether a segment consists of tables, at most so many, and nothing behind them."""
    at = tables = 0
    while at < len(segment):
        at += length_at(at)
        tables += 1
    return at == len(segment) and tables <= most


def _end_of_scan(content: bytes, at: int) -> int:
    """Return where the next marker after the compressed data is; stuffed zeros and restarts belong to the data."""
    found = _MARKER.search(content, at)
    return found.start() if found else len(content)
