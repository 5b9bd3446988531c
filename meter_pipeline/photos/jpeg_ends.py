"""JPEGs without an end: whether only the end marker is missing, or part of the picture.

Cameras and copy programs lose the last bytes of a file, or fill them with zeros. A decoder does not tell how much is
missing: it paints what it has no data for. So the file is decoded with three endings: where all of the picture is
there, nothing behind it is ever read, and the three pictures are the same.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from PIL import Image

END = b"\xff\xd9"
NO_END_NOTE = "end marker missing: the picture is whole"

_START_OF_SCAN, _END_OF_IMAGE, _RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SURPLUS_BYTES = 4096
"""More than the picture's last piece may need, so that each ending is told from every other."""
MOST_SEGMENTS = 100_000
"""A JPEG of more is not looked through: those of cameras have less than a hundred."""
DECODED_TIMES = 3
"""Times that `with_an_end` decodes a file."""


@dataclass
class _Frame:
    """What the headers say of the picture."""

    progressive: bool
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]  # by component: blocks across and down
    finished: set[tuple[int, int]] = field(default_factory=set)  # components and coefficients at full precision

    def units(self, components: list[int]) -> int:
        """Number of pieces that a scan of these components is coded in."""
        across, down = (max(sampling[way] for sampling in self.sampling.values()) for way in (0, 1))
        if len(components) > 1:
            return ceil(self.width / (8 * across)) * ceil(self.height / (8 * down))
        own_across, own_down = self.sampling[components[0]]
        columns, rows = ceil(self.width * own_across / across), ceil(self.height * own_down / down)
        return ceil(columns / 8) * ceil(rows / 8)

    @property
    def complete(self) -> bool:
        """Whether some scan brought each coefficient of each component, to its last bit."""
        coefficients = range(64) if self.progressive else range(1)
        return all((component, number) in self.finished for component in self.sampling for number in coefficients)


def has_end(data: bytes) -> bool:
    """Return whether a JPEG's first picture comes to its end marker; also False where its segments cannot be read."""
    try:
        return data.endswith(END) or _walk(data)
    except (IndexError, ValueError):
        return False


def with_an_end(data: bytes) -> bytes | None:
    """Return a JPEG without an end marker with one; None if part of its picture is missing.

    Args:
        data: a JPEG whose size and cost were judged already: it is decoded up to `DECODED_TIMES`.
    """
    body = data
    if data.endswith(b"\x00"):
        body = data.rstrip(b"\x00")
        body += b"\x00\x00" if body.endswith(b"\xff") else b"\x00"  # the picture's last bits may be zeros themselves
    elif data.endswith(b"\xff"):
        body = data.rstrip(b"\xff") + b"\xff\x00"  # half of the end marker, or the picture's own last byte
    try:
        if not _scans_are_all_there(body):
            return None
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    noise = np.random.default_rng(0).integers(1, 255, _SURPLUS_BYTES, dtype=np.uint8).tobytes()
    endings = (END, noise + END, noise[::-1] + END)
    pictures = {_pixels(body + ending) for ending in endings}
    return body + END if len(pictures) == 1 and None not in pictures else None


def _pixels(data: bytes) -> bytes | None:
    """Return a digest of the decoded picture; None if it cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            return hashlib.blake2b(image.tobytes()).digest()
    except Exception:  # as in `decoding`: what decoders raise for broken bytes has no common type
        return None


def _scans_are_all_there(data: bytes) -> bool:
    """Return whether there are as many scans, and restarts in each, as the headers ask for."""
    frames: list[_Frame] = []
    whole = True
    interval = 0

    def look(marker: int, segment: bytes, coded: bytes) -> None:
        nonlocal interval, whole
        if marker in _FRAMES:
            sampling = {segment[at]: (segment[at + 1] >> 4, segment[at + 1] & 15) for at in range(6, len(segment), 3)}
            height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
            frames.append(_Frame(marker in _PROGRESSIVE, width, height, sampling))
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == _START_OF_SCAN:
            frame, count = frames[0], segment[0]
            components = [segment[1 + 2 * number] for number in range(count)]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            if interval:
                whole &= len(_RESTART.findall(coded)) >= ceil(frame.units(components) / interval) - 1
            if not frame.progressive or not bits & 15:
                frame.finished |= {(c, number) for c in components for number in range(first, last + 1)}

    _walk(data, look)
    return whole and len(frames) == 1 and frames[0].complete


def _walk(data: bytes, look: Callable[[int, bytes, bytes], None] | None = None) -> bool:
    """Go through a JPEG's segments; return whether the end marker was met.

    Args:
        data: the file.
        look: called for each segment with its marker, its content, and for a scan the coded bytes behind it.

    Raises:
        IndexError, ValueError: the segments are broken.
    """
    at = 2
    segments = 0
    while at < len(data):
        segments += 1
        if segments > MOST_SEGMENTS:
            raise ValueError("more segments than a photo has")
        if data[at] != 0xFF:
            raise ValueError("no marker where one is due")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == _END_OF_IMAGE:
            return True
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if length < 2 or len(segment) != length - 2:
            raise ValueError("a segment is cut off")
        at += length
        coded_end = at
        if marker == _START_OF_SCAN:
            found = _NEXT_MARKER.search(data, at)
            coded_end = found.start() if found else len(data)
        if look is not None:
            look(marker, segment, data[at:coded_end])
        at = coded_end
    return False
