"""HEIC and AVIF files by their index: pictures made of pictures, and frames that are decoded and never shown."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from meter_pipeline.photos.costs.iso_pictures import StrangeIndexError, megapixels_of
from meter_pipeline.photos.decoding import PhotoError, open_photo


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", len(content) + 8, kind) + content


def full_box(kind: bytes, version: int, content: bytes) -> bytes:
    return box(kind, struct.pack(">L", version << 24) + content)


def pictures_of_pictures(levels: int, wide: int, side: int = 1_000) -> bytes:
    """The index of a HEIC file whose first picture is `wide` times the second, and so on."""
    items = range(1, levels + 2)
    entry = [full_box(b"infe", 2, struct.pack(">HH4sx", i, 0, b"grid" if i <= levels else b"hvc1")) for i in items]
    parts = [box(b"dimg", struct.pack(">HH", i, wide) + struct.pack(">H", i + 1) * wide) for i in items[:-1]]
    sizes = box(b"ipco", full_box(b"ispe", 0, struct.pack(">LL", side, side)))
    of_items = b"".join(struct.pack(">HBB", i, 1, 1) for i in items)
    sizes += full_box(b"ipma", 0, struct.pack(">L", len(items)) + of_items)
    index = full_box(b"iinf", 0, struct.pack(">H", len(items)) + b"".join(entry))
    index += full_box(b"iref", 0, b"".join(parts))
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full_box(b"meta", 0, index + box(b"iprp", sizes))


def test_a_small_index_may_stand_for_millions_of_megapixels() -> None:
    assert megapixels_of(pictures_of_pictures(1, 20)) == 21
    assert megapixels_of(pictures_of_pictures(6, 10)) == 1_111_111
    with pytest.raises(StrangeIndexError):
        megapixels_of(pictures_of_pictures(30, 2))
    with pytest.raises(StrangeIndexError):
        megapixels_of(box(b"free", b"") * 60_000)


@pytest.mark.parametrize("content", [pictures_of_pictures(6, 10), pictures_of_pictures(30, 2)])
def test_it_is_refused_before_it_is_opened(content: bytes) -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(PhotoError) as refused:
        open_photo(content)
    assert refused.value.outcome == "too_costly"


def test_each_picture_counts_as_often_as_it_has_frames() -> None:
    pytest.importorskip("PIL._avif")
    buffer = io.BytesIO()
    Image.new("RGBA", (1_000, 500), (1, 2, 3, 4)).save(buffer, "AVIF")
    assert megapixels_of(buffer.getvalue()) == 1.0  # colours, and what is transparent
    frame = Image.new("RGB", (1_000, 500))
    buffer = io.BytesIO()
    frame.save(buffer, "AVIF")
    content = buffer.getvalue()
    place = content.index(b"mdat") + 4
    length = len(content) - place
    # The same frame three times in the one picture's data.
    again = content.replace(struct.pack(">L", length), struct.pack(">L", 3 * length)) + content[place:] * 2
    assert megapixels_of(again) == 1.5
