"""Photos whose file is small and whose decoding is not: refused by what they declare, before a pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from meter_pipeline.photos.costs import bounded_reading
from meter_pipeline.photos.costs.decoding_cost import MOST_SCANS
from meter_pipeline.photos.decoding import PhotoError, open_photo


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def with_scans(picture: Image.Image, count: int, glue: bytes = b"", **options: object) -> bytes:
    """A progressive JPEG whose last scan is there `count` times more."""
    content = encoded(picture, "JPEG", progressive=True, **options)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + (glue + last) * count + b"\xff\xd9"


GREY = Image.new("L", (640, 480), 120)
MANY = MOST_SCANS
AS_MANY_AS_PROGRAMS_WRITE = 20


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of_parts(count: int) -> bytes:
    content = encoded(GREY, "PNG")
    return content[:33] + chunk(b"abCd", b"") * count + content[33:]


def tiff_of_one_tile(side: int) -> bytes:
    tags = ((256, 64), (257, 64), (258, 8), (259, 1), (262, 1), (277, 1), (322, side), (323, side), (324, 8), (325, 64))
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


COSTLY = {
    "scans": lambda: with_scans(GREY, MANY),
    "scans, other bytes between": lambda: with_scans(GREY, MANY, b"junk"),
    "scans, fill bytes between": lambda: with_scans(GREY, MANY, b"\xff\xff\xff"),
    "scans, restarts between": lambda: with_scans(GREY, MANY, b"\xff\xd3"),
    "scans, an end within a comment": lambda: with_scans(GREY, MANY, b"\xff\xfe\x00\x04\xff\xd9"),
    "scans without an end": lambda: with_scans(GREY, MANY)[:-2],
    "one tile larger than any photo": lambda: tiff_of_one_tile(60_000),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_what_costs_more_than_a_photo_is_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(PhotoError) as refused:
        open_photo(COSTLY[kind]())
    assert refused.value.outcome == "too_costly"
    assert "more than a photo needs" in refused.value.reason


def test_a_file_of_more_parts_than_a_picture_has_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_photo(png_of_parts(1_000)).width == 640
    monkeypatch.setattr(bounded_reading, "MOST_READS", 1_000)
    with pytest.raises(PhotoError) as refused:
        open_photo(png_of_parts(1_000))
    assert refused.value.outcome == "too_costly"


def test_an_ordinary_progressive_photo_is_read_also_with_a_preview_and_a_second_picture() -> None:
    picture = Image.new("RGB", (640, 480), "teal")
    several = encoded(picture, "MPO", save_all=True, append_images=[picture], progressive=True)
    assert open_photo(several).width == 640
    assert open_photo(with_scans(GREY, AS_MANY_AS_PROGRAMS_WRITE)).width == 640


@pytest.mark.slow  # a second or two and 2 GB
def test_a_phones_200_megapixels_are_read_at_half_their_size() -> None:
    photo = open_photo(encoded(Image.new("L", (16_320, 12_240), 90), "JPEG"))
    assert (photo.width, photo.height) == (16_320, 12_240)
    assert photo.image.size == (8_160, 6_120)
    with pytest.raises(PhotoError) as refused:
        open_photo(encoded(Image.new("L", (20_000, 13_000)), "JPEG"))
    assert refused.value.outcome == "too_large_pixels"
