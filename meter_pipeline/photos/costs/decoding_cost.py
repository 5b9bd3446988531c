"""What decoding a photo costs, by what its file declares, before a pixel is decoded.

The price is in megapixels that go through the decoder. A photo of 200 megapixels in a progressive JPEG costs some 3,000
of them: each of its ten scans goes over the picture again. A file of 3 MB can declare 20,000 scans, an hour of a core.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from math import prod

from PIL import Image, ImageFile

from meter_pipeline.photos.costs.iso_pictures import StrangeIndexError, megapixels_of

MOST_MEGAPIXELS = 4_000
"""Megapixels through the decoder for one photo. About 500 take a second of one core (a server's core of 2020)."""
MOST_SCANS = 100
"""Scans of one JPEG. Programs write up to 20; libtiff has the same limit."""
MOST_TILE_PIXELS = 80_000_000
_JPEG_IN_TIFF = {"jpeg", "tiff_jpeg"}
_ARITHMETIC_FACTOR = 8
"""Arithmetic coding costs so many times what Huffman's does (libjpeg-turbo 3, measured on pictures of one grey)."""
_RUN_LENGTH_FACTOR = 200
"""Pillow decodes run-length coded BMPs in Python: 80 megapixels take 10 s and more."""

_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ARITHMETIC = frozenset(range(0xC9, 0xD0)) - {0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def why_too_costly(content: bytes, image: ImageFile.ImageFile, *, times: int = 1) -> str | None:
    """Return why a photo whose headers were read is too costly to decode; None: it is not.

    Args:
        content: the file.
        image: what Pillow read of its headers.
        times: how often it is to be decoded.
    """
    if image.format in ("JPEG", "MPO"):
        return _cost_of_jpeg(content, times * image.width * image.height)
    if image.format == "TIFF":
        return _cost_of_tiff(content, image)
    if image.format == "BMP" and any(tile[0] == "bmp_rle" for tile in image.tile):
        megapixels = _RUN_LENGTH_FACTOR * image.width * image.height / 1e6
        if megapixels > MOST_MEGAPIXELS:
            return "It is a run-length coded BMP of more than 20 megapixels, which is decoded byte by byte"
    return None


def why_index_is_costly(content: bytes) -> str | None:
    """Return why a HEIC or AVIF file is too costly to decode, or to open at all; None: it is not."""
    try:
        megapixels = megapixels_of(content)
    except StrangeIndexError as error:
        return f"Not opened: {error}"
    if megapixels > MOST_MEGAPIXELS:
        return f"Its pictures and their parts have {megapixels:,.0f} megapixels together"
    return None


def _cost_of_jpeg(content: bytes, pixels: int) -> str | None:
    scans = content.count(_SCAN)  # more than there are: previews in metadata have theirs
    most_of_a_scan = 4 * pixels / 1e6  # four components at full size
    if scans <= MOST_SCANS and scans * most_of_a_scan * _ARITHMETIC_FACTOR <= MOST_MEGAPIXELS:
        return None
    scans, megapixels = _scans_of(content, pixels)
    if scans > MOST_SCANS:
        return f"It is drawn in more than {MOST_SCANS} passes (scans of a progressive JPEG)"
    if megapixels > MOST_MEGAPIXELS:
        return f"Its {scans} passes (scans of a JPEG) go over {megapixels:,.0f} megapixels"
    return None


def _scans_of(content: bytes, pixels: int) -> tuple[int, float]:
    """Return how many scans the first picture of a JPEG has, counted up to one too many, and megapixels in all of them.

    It goes through the file as libjpeg does: what is no marker between segments is passed over.
    """
    at, scans, samples, arithmetic = 2, 0, 0.0, False
    sizes: dict[int, float] = {}
    while scans <= MOST_SCANS:
        found = _MARKER.search(content, at)
        if found is None:
            break
        marker, at = content[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        if marker in _ALONE:
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        segment = content[at + 2 : at + length]
        at += max(2, length)
        if marker in _FRAMES:
            arithmetic |= marker in _ARITHMETIC
            sizes |= _shares(segment)
        elif marker == 0xDA and segment:
            scans += 1
            samples += pixels * sum(sizes.get(component, 1.0) for component in segment[1 : 1 + 2 * segment[0] : 2])
    return scans, samples * (_ARITHMETIC_FACTOR if arithmetic else 1) / 1e6


def _shares(frame: bytes) -> dict[int, float]:
    """Return the share of the picture's pixels that each component of a frame has."""
    sampling = {frame[at]: (frame[at + 1] >> 4) * (frame[at + 1] & 15) for at in range(6, len(frame) - 1, 3)}
    most = max(sampling.values(), default=0) or 1
    return {component: blocks / most for component, blocks in sampling.items()}


def _cost_of_tiff(content: bytes, image: Image.Image) -> str | None:
    tags = getattr(image, "tag_v2", {})
    tile = [int(tags.get(name, 0)) for name in (322, 323)]
    if prod(tile) > MOST_TILE_PIXELS:
        return f"One tile of it has {prod(tile):,} pixels"
    if image.info.get("compression") not in _JPEG_IN_TIFF:
        return None
    places, lengths = (tags.get(324) or tags.get(273) or (), tags.get(325) or tags.get(279) or ())
    pixels = prod(tile) or image.width * min(image.height, int(tags.get(278, image.height)))
    found, at = [], content.find(_SCAN)
    while at >= 0:
        found.append(at)
        at = content.find(_SCAN, at + 2)
    # Strips may share their bytes: what lies once in the file is decoded for each.
    scans = sum(bisect_left(found, p + n) - bisect_right(found, p - 1) for p, n in zip(places, lengths, strict=False))
    megapixels = scans * pixels * len(image.getbands()) / 1e6
    if megapixels > MOST_MEGAPIXELS:
        return f"The JPEGs in it go over {megapixels:,.0f} megapixels"
    return None
