"""What the pictures of a HEIC or AVIF file cost to decode, by its index (ISO 23008-12), without decoding any.

A picture may be put together from others (a grid of tiles, layers), these from others again: twelve levels of ten make
a file of a few kilobytes that is decoded for years. And the data of one picture may hold many frames that are decoded
and never shown.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_BOXES = 50_000
"""A photo of 200 megapixels in tiles has some 2,000."""
DEEPEST = 8
"""Levels that pictures are put together in; cameras use one."""
_FRAME_OBUS = frozenset({3, 6})
_LAST_CODED_NAL = 31


class StrangeIndexError(ValueError):
    """The index is larger or deeper than a photo's; a broken one is left to the decoder, which refuses it."""


@dataclass
class _Index:
    kinds: dict[int, bytes] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)  # by property, pixels; 0 for properties of other kinds
    properties: dict[int, list[int]] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def pixels(self, item: int) -> int:
        """Return the largest size that is given for an item."""
        given = [self.sizes[number - 1] for number in self.properties.get(item, []) if 0 < number <= len(self.sizes)]
        return max(given, default=0)


def megapixels_of(content: bytes) -> float:
    """Return the megapixels that all pictures of a file have together, each as often as it is decoded.

    Raises:
        StrangeIndexError: its index is no photo's.
    """
    index, boxes = _Index(), _Boxes(content)
    try:
        for kind, start, end in boxes.within(0, len(content)):
            if kind == b"meta":
                _read_meta(content, boxes, start + 4, end, index)
    except (struct.error, IndexError):
        pass  # the decoder will say so; what was read until then counts
    costs: dict[int, float] = {}
    used = {part for parts in index.parts.values() for part in parts}
    roots = [item for item in index.kinds if item not in used] or list(index.kinds)
    return sum(_cost(item, index, content, costs, 0) for item in roots)


def _cost(item: int, index: _Index, content: bytes, costs: dict[int, float], depth: int) -> float:
    if depth > DEEPEST:
        raise StrangeIndexError("its pictures are put together from pictures again and again")
    if item not in costs:
        own = index.pixels(item) / 1e6
        parts = index.parts.get(item)
        if parts is None:
            own *= max(1, _frames(index, item, content))
        else:
            own += sum(_cost(part, index, content, costs, depth + 1) for part in parts)
        costs[item] = own
    return costs[item]


class _Boxes:
    """Goes through the boxes of a file, and counts them."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._seen = 0

    def within(self, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind, start and end of what each box holds."""
        while at + 8 <= end:
            self._seen += 1
            if self._seen > MOST_BOXES:
                raise StrangeIndexError("it is made of more parts than a picture has")
            length, kind = struct.unpack_from(">L4s", self._content, at)
            start = at + 8
            if length == 1:
                length, start = struct.unpack_from(">Q", self._content, start)[0], at + 16
            stop = end if length == 0 else at + length
            if stop < start or stop > end:
                return
            yield kind, start, stop
            at = stop


def _read_meta(content: bytes, boxes: _Boxes, at: int, end: int, index: _Index) -> None:
    data_start = 0
    locations = None
    for kind, start, stop in boxes.within(at, end):
        if kind == b"iinf":
            _read_kinds(content, boxes, start, stop, index)
        elif kind == b"iref":
            _read_parts(content, boxes, start, stop, index)
        elif kind == b"iprp":
            _read_properties(content, boxes, start, stop, index)
        elif kind == b"idat":
            data_start = start
        elif kind == b"iloc":
            locations = content[start:stop]
    if locations is not None:
        _read_places(locations, data_start, index)


def _read_kinds(content: bytes, boxes: _Boxes, start: int, stop: int, index: _Index) -> None:
    first = start + (6 if content[start] == 0 else 8)
    for kind, at, _ in boxes.within(first, stop):
        if kind == b"infe" and content[at] in (2, 3):
            number, size = (">H", 2) if content[at] == 2 else (">L", 4)
            index.kinds[struct.unpack_from(number, content, at + 4)[0]] = content[at + 6 + size : at + 10 + size]


def _read_parts(content: bytes, boxes: _Boxes, start: int, stop: int, index: _Index) -> None:
    number, size = (">H", 2) if content[start] == 0 else (">L", 4)
    for kind, at, end in boxes.within(start + 4, stop):
        if kind == b"dimg":
            item = struct.unpack_from(number, content, at)[0]
            references = content[at + size + 2 : end]
            references = references[: len(references) // size * size]
            index.parts.setdefault(item, []).extend(part for (part,) in struct.iter_unpack(number, references))


def _read_properties(content: bytes, boxes: _Boxes, start: int, stop: int, index: _Index) -> None:
    for kind, at, end in boxes.within(start, stop):
        if kind == b"ipco":
            for name, inside, _ in boxes.within(at, end):
                is_size = name == b"ispe"
                width, height = struct.unpack_from(">LL", content, inside + 4) if is_size else (0, 0)
                index.sizes.append(width * height)
        elif kind == b"ipma":
            number, size = (">H", 2) if content[at] < 1 else (">L", 4)
            wide = content[at + 3] & 1
            place = at + 8
            while place + size < end:
                item = struct.unpack_from(number, content, place)[0]
                count = content[place + size]
                place += size + 1
                listed = content[place : place + count * (1 + wide)]
                place += len(listed)
                given = (
                    [n & 0x7FFF for (n,) in struct.iter_unpack(">H", listed)] if wide else [n & 0x7F for n in listed]
                )
                index.properties.setdefault(item, []).extend(given)


def _read_places(box: bytes, data_start: int, index: _Index) -> None:
    version = box[0]
    offset_size, length_size, base_size, index_size = box[4] >> 4, box[4] & 15, box[5] >> 4, box[5] & 15
    wide = version == 2
    at = 10 if wide else 8
    for _ in range(struct.unpack_from(">L" if wide else ">H", box, 6)[0]):
        item = struct.unpack_from(">L" if wide else ">H", box, at)[0]
        at += 4 if wide else 2
        method = 0
        if version in (1, 2):
            method = struct.unpack_from(">H", box, at)[0] & 15
            at += 2
        at += 2
        base = int.from_bytes(box[at : at + base_size], "big") + (data_start if method == 1 else 0)
        at += base_size
        extents = struct.unpack_from(">H", box, at)[0]
        at += 2
        for _ in range(extents):
            at += index_size if version in (1, 2) else 0
            start = base + int.from_bytes(box[at : at + offset_size], "big")
            length = int.from_bytes(box[at + offset_size : at + offset_size + length_size], "big")
            at += offset_size + length_size
            index.places.setdefault(item, []).append((start, length))


def _frames(index: _Index, item: int, content: bytes) -> int:
    """Return how many frames the data of an item holds, shown or not."""
    data = b"".join(content[start : start + length] for start, length in index.places.get(item, [])[:100])
    if index.kinds.get(item) == b"av01":
        return _frames_of_av1(data)
    return _frames_of_hevc(data) if index.kinds.get(item) in (b"hvc1", b"hev1") else 1


def _frames_of_av1(data: bytes) -> int:
    """Count frame headers (AV1, 5.3: each unit has a header, and its length as a LEB128 number)."""
    frames = at = 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        length = shift = 0
        if not head & 2:
            return frames + ((head >> 3 & 15) in _FRAME_OBUS)
        while at < len(data):
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        frames += (head >> 3 & 15) in _FRAME_OBUS
        at += length
    return frames


def _frames_of_hevc(data: bytes) -> int:
    """Count first slices (H.265, 7.3.6: the first bit behind a slice's two-byte header says that a picture begins)."""
    frames = at = 0
    while at + 7 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        is_slice = (data[at + 4] >> 1 & 0x3F) <= _LAST_CODED_NAL
        frames += is_slice and data[at + 6] >> 7
        at += 4 + length
    return frames
