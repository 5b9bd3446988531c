"""A JPEG without its end marker is used if its picture is whole, and only then."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.jpeg_ends import END, NO_END_NOTE, has_end, with_an_end


def jpeg(smooth: bool = False, mode: str = "RGB", size: tuple[int, int] = (123, 77), **options: object) -> bytes:
    width, height = size
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    ramp = np.linspace(40, 210, height * width * 3).reshape(height, width, 3).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(ramp if smooth else noise).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


KINDS = {
    "baseline": jpeg(),
    "baseline, smooth": jpeg(smooth=True),
    "optimized": jpeg(optimize=True),
    "optimized, smooth": jpeg(smooth=True, optimize=True),
    "colours not halved": jpeg(subsampling=0),
    "colours halved across": jpeg(subsampling=1),
    "progressive": jpeg(progressive=True),
    "progressive, smooth": jpeg(smooth=True, progressive=True),
    "progressive, grey": jpeg(mode="L", progressive=True),
    "grey": jpeg(mode="L"),
    "four inks": jpeg(mode="CMYK"),
    "restarts by rows": jpeg(restart_marker_rows=1),
    "restarts by blocks": jpeg(restart_marker_blocks=3),
    "progressive with restarts": jpeg(progressive=True, restart_marker_blocks=5),
    "metadata with end markers": jpeg(exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08" + bytes(8) + END * 3),
    "one row of blocks": jpeg(size=(200, 33)),
}  # fmt: skip

TAILS = {
    "no marker": b"",
    "half a marker": b"\xff",
    "marker zeroed": bytes(2),
    "half of the marker zeroed": b"\xff\x00",
    "zeros to the end of the block": bytes(4096),
    "erased flash": b"\xff" * 700,
}


def pixels(content: bytes) -> bytes:
    return open_photo(content).image.tobytes()


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_without_its_end_is_used_with_a_note(kind: str, tail: str) -> None:
    whole = KINDS[kind]
    assert whole.endswith(END)
    photo = open_photo(whole[:-2] + TAILS[tail])
    assert NO_END_NOTE in photo.notes
    assert photo.image.tobytes() == pixels(whole)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_picture_is_not_taken_for_a_whole_one(kind: str, tail: str) -> None:
    whole = KINDS[kind]
    true = np.asarray(open_photo(whole).image).astype(int)
    for missing in [*range(3, 40), *range(40, len(whole) - 700, max(1, len(whole) // 20))]:
        try:
            photo = open_photo(whole[:-missing] + TAILS[tail])
        except PhotoError as error:
            assert error.outcome in {"truncated", "damaged"}, missing
        else:
            # What fills the file up may stand for the last bits of the last block: no more than that is made up.
            changed = np.argwhere((np.asarray(photo.image) != true).any(axis=2))
            assert len(changed) <= 16 * 16, missing


@pytest.mark.parametrize("kind", ["progressive", "progressive, grey", "progressive with restarts"])
def test_a_progressive_picture_that_lacks_whole_scans_is_cut(kind: str) -> None:
    whole = KINDS[kind]
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    assert len(starts) > 5
    for start in starts[1:]:
        assert with_an_end(whole[:start]) is None


def test_whole_restart_intervals_that_are_missing_are_noticed() -> None:
    whole = KINDS["restarts by rows"]
    marks = [at for at in range(len(whole)) if whole[at] == 0xFF and 0xD0 <= whole[at + 1] <= 0xD7]
    assert len(marks) == 4
    for mark in marks:
        assert with_an_end(whole[:mark]) is None


@pytest.mark.parametrize(
    "behind",
    [b"garbage" * 999, bytes(5000), b"<html>", END * 2, b"\xff"],
    ids=["text", "zeros", "page", "ends", "half"],
)
@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts by rows"])
def test_what_follows_the_end_is_passed_over_without_a_note(kind: str, behind: bytes) -> None:
    assert has_end(KINDS[kind] + behind)
    photo = open_photo(KINDS[kind] + behind)
    assert photo.notes == ()
    assert photo.image.tobytes() == pixels(KINDS[kind])


def test_a_phones_double_picture_whose_second_one_is_cut_gives_the_first() -> None:
    first, second = (Image.open(io.BytesIO(KINDS[kind])).convert("RGB") for kind in ("baseline", "baseline, smooth"))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    content = buffer.getvalue()
    true = pixels(content)
    for missing in (2, 10, 400):
        assert pixels(content[:-missing]) == true


def test_a_smaller_decode_says_the_same_and_no_state_is_left_behind() -> None:
    whole = jpeg(size=(640, 480))
    assert NO_END_NOTE in open_photo(whole[:-2], smallest_side=100).notes
    with pytest.raises(PhotoError) as refused:
        open_photo(whole[: len(whole) // 2], smallest_side=100)
    assert refused.value.outcome == "truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_bomb_without_an_end_is_refused_by_its_header() -> None:
    content = bytearray(KINDS["baseline"][:-2])
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = b"\xf0\x00\xf0\x00"
    with pytest.raises(PhotoError) as refused:
        open_photo(bytes(content))
    assert refused.value.outcome == "too_large_pixels"
