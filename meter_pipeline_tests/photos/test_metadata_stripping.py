import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.metadata_stripping import strip_jpeg, without_metadata

PIXELS = np.random.default_rng(0).integers(0, 255, (80, 60, 3)).astype(np.uint8)


def jpeg(*, orientation: int = 1, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET"
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", exif=exif, comment=b"SECRET", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"icc_profile": b"SECRET" * 99}]
)
def test_an_upright_jpeg_keeps_every_pixel(tmp_path: Path, options: dict[str, object]) -> None:
    content = jpeg(**options)
    (tmp_path / "a.jpg").write_bytes(content + b"\xff\xd8 SECRET second picture")
    stripped = without_metadata(tmp_path / "a.jpg")
    assert b"SECRET" not in stripped
    with Image.open(io.BytesIO(stripped)) as after, Image.open(io.BytesIO(content)) as before:
        assert (np.asarray(after) == np.asarray(before)).all()
        assert "icc_profile" not in after.info


def test_a_genuine_profile_keeps_its_colours_and_loses_its_words(tmp_path: Path) -> None:
    genuine = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    words = "sRGB built-in".encode("utf-16-be")
    assert words in genuine
    (tmp_path / "a.jpg").write_bytes(jpeg(icc_profile=genuine.replace(words, "SECRET, Anna'".encode("utf-16-be"))))
    with Image.open(io.BytesIO(without_metadata(tmp_path / "a.jpg"))) as after:
        kept = after.info["icc_profile"]
    assert b"S\0E\0C\0R" not in kept
    lab = [
        ImageCms.profileToProfile(
            Image.fromarray(PIXELS), io.BytesIO(profile), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        for profile in (genuine, kept)
    ]
    assert (np.asarray(lab[0]) == np.asarray(lab[1])).all()


SEGMENTS = {
    "JFXX preview": b"\xff\xe0\x00\x0eJFXX\0\x10SECRET",
    "preview in JFIF": b"\xff\xe0\x00\x19JFIF\0\1\2\0\0\1\0\1\1\3SECRETxxx",
    "Adobe's, with more behind it": b"\xff\xee\x00\x14Adobe\0\x64\0\0\0\0\1SECRET",
    "FlashPix": b"\xff\xe2\x00\x0dFPXR\0SECRET",
    "Photoshop": b"\xff\xed\x00\x16Photoshop 3.0\0SECRET",
    "an unknown one": b"\xff\xeb\x00\x08SECRET",
}


@pytest.mark.parametrize("kind", SEGMENTS)
@pytest.mark.parametrize("progressive", [False, True])
def test_no_segment_carries_anything_on(tmp_path: Path, kind: str, progressive: bool) -> None:
    content = jpeg(progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(content[:2] + SEGMENTS[kind] + content[2:])
    stripped = without_metadata(tmp_path / "a.jpg")
    assert b"SECRET" not in stripped
    assert (np.asarray(Image.open(io.BytesIO(stripped))) == np.asarray(Image.open(io.BytesIO(content)))).all()


def test_words_within_the_coded_picture_do_not_go_on(tmp_path: Path) -> None:
    content = jpeg()
    (tmp_path / "a.jpg").write_bytes(content[:-2] + b"SECRET: taken in Anna's kitchen" + content[-2:])
    assert b"SECRET" not in without_metadata(tmp_path / "a.jpg")


def test_a_turned_jpeg_is_written_upright(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(orientation=6))
    stripped = without_metadata(tmp_path / "a.jpg")
    assert b"SECRET" not in stripped
    with Image.open(io.BytesIO(stripped)) as image:
        assert image.size == (80, 60)


def test_a_png_becomes_a_jpeg(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", "PNG")
    assert without_metadata(tmp_path / "a.jpg")[:2] == b"\xff\xd8"


@pytest.mark.parametrize("length", [0, 1, 3, 50, 400, 1500])
def test_a_cut_file_is_not_passed_on(tmp_path: Path, length: int) -> None:
    assert strip_jpeg(jpeg()[:length]) is None
    (tmp_path / "a.jpg").write_bytes(jpeg()[:length])
    with pytest.raises(PhotoError):
        without_metadata(tmp_path / "a.jpg")
