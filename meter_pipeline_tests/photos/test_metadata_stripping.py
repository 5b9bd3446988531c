import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"icc_profile": b"x" * 99}]
)
def test_an_upright_jpeg_keeps_every_pixel(tmp_path: Path, options: dict[str, object]) -> None:
    content = jpeg(**options)
    (tmp_path / "a.jpg").write_bytes(content + b"\xff\xd8 SECRET second picture")
    stripped = without_metadata(tmp_path / "a.jpg")
    assert b"SECRET" not in stripped
    with Image.open(io.BytesIO(stripped)) as after, Image.open(io.BytesIO(content)) as before:
        assert (np.asarray(after) == np.asarray(before)).all()
        assert after.info.get("icc_profile") == options.get("icc_profile")


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
