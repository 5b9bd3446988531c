"""A photo's colour profile (ICC.1) without what it says about anybody: only what turns numbers into colours is kept.

Profiles also carry a description, a copyright, the device, dates and private parts, and any bytes at all can be stored
under the name of a profile. So a profile is made anew from the few numbers that a camera's has: the three primaries,
the white point and the curves.
"""

from __future__ import annotations

import io
import struct

from PIL import ImageCms

HEADER_BYTES = 128
MOST_TAGS = 100
"""Cameras' profiles have about ten."""
MOST_CURVE_POINTS = 4096
_ENTRY = struct.Struct(">4sLL")
_SPACES = frozenset({b"RGB ", b"GRAY"})
_CONNECTION_SPACES = frozenset({b"XYZ ", b"Lab "})
_CLASSES = frozenset({b"mntr", b"scnr", b"spac"})
_NEEDED = (b"wtpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC")
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
"""Numbers of a parametric curve, by its kind (ICC.1:2022, 10.18)."""
_SOME_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_D50 = struct.pack(">3L", 0xF6D6, 0x10000, 0xD32D)
_WORDS = "photo"


def without_words(profile: bytes) -> bytes | None:
    """Return a profile that gives the same colours and says nothing else; None if it is no profile of a photo.

    Args:
        profile: what a file calls its profile.
    """
    try:
        made = _made_anew(profile)
        ImageCms.ImageCmsProfile(io.BytesIO(made))
    except (struct.error, ValueError, OSError):
        return None
    return made


def _made_anew(profile: bytes) -> bytes:
    """Raise ValueError or struct.error where it is not a profile."""
    version, kind, space, connection = profile[8:12], profile[12:16], profile[16:20], profile[20:24]
    known = kind in _CLASSES and space in _SPACES and connection in _CONNECTION_SPACES
    if profile[36:40] != b"acsp" or not known or version[0] not in (2, 4):
        raise ValueError("not the profile of a photo")
    tags = {name: data for name, data in _tags(profile).items() if name in _NEEDED}
    enough = {b"kTRC"} if space == b"GRAY" else {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    if not enough <= tags.keys():
        raise ValueError("a profile of tables, as printers have them")
    words = _words(version[0])
    tags |= {b"desc": words, b"cprt": words if version[0] == 4 else b"text\0\0\0\0" + _WORDS.encode() + b"\0"}
    table, content = b"", b""
    start = HEADER_BYTES + 4 + _ENTRY.size * len(tags)
    for name, data in sorted(tags.items()):
        table += _ENTRY.pack(name, start + len(content), len(data))
        content += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">L4x", start + len(content)) + version[:2] + b"\0\0" + kind + space + connection + _SOME_DATE
    head += b"acsp" + b"\0" * 24 + struct.pack(">L", profile[67] & 3) + _D50
    return head.ljust(HEADER_BYTES, b"\0") + struct.pack(">L", len(tags)) + table + content


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the parts of a profile whose kind is known, each cut to its own length."""
    (count,) = struct.unpack_from(">L", profile, HEADER_BYTES)
    if count > MOST_TAGS:
        raise ValueError("more parts than a profile has")
    found = {}
    for number in range(count):
        name, start, length = _ENTRY.unpack_from(profile, HEADER_BYTES + 4 + _ENTRY.size * number)
        data = profile[start : start + length]
        size = _size_of(data)
        if size is not None and size <= len(data):
            found[name] = data[:4] + b"\0\0\0\0" + data[8:size]
    return found


def _size_of(data: bytes) -> int | None:
    """Return how many bytes a part takes by its kind; None for a kind that is not kept."""
    if data[:4] == b"XYZ ":
        return 20
    if data[:4] == b"sf32":
        return 44  # a matrix of 3 x 3
    if data[:4] == b"curv":
        (points,) = struct.unpack_from(">L", data, 8)
        return 12 + 2 * points if points <= MOST_CURVE_POINTS else None
    if data[:4] == b"para":
        kind = struct.unpack_from(">H", data, 8)[0]
        return 12 + 4 * _PARAMETERS[kind] if kind in _PARAMETERS else None
    return None


def _words(version: int) -> bytes:
    """Return the description that every profile has to have."""
    if version == 4:
        text = _WORDS.encode("utf-16-be")
        return b"mluc\0\0\0\0" + struct.pack(">LL4sLL", 1, 12, b"enUS", len(text), 28) + text
    text = _WORDS.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">L", len(text)) + text + b"\0" * 78
