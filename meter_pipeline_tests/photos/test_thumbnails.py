"""Small pictures: upright, without metadata; thumbnails are made once and gone with their photo."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.thumbnails import THUMBNAIL_SIDE, small_jpeg, small_picture, thumbnail
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.patterns import draw


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo that lies on its side, taken at a place."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    path = tmp_path / "photo.jpg"
    draw("BLUE_A", 1, (640, 480)).save(path, exif=exif)
    return path


def test_a_thumbnail_is_small_upright_and_without_metadata(tmp_path: Path, photo: Path) -> None:
    image = Image.open(io.BytesIO(thumbnail(Layout(tmp_path), "ab12", photo)))
    assert image.size == (THUMBNAIL_SIDE * 3 // 4, THUMBNAIL_SIDE)
    assert image.format == "JPEG"
    assert not image.getexif()
    assert b"a maker" not in thumbnail(Layout(tmp_path), "ab12", photo)


def test_it_is_made_once_and_each_size_for_itself(tmp_path: Path, photo: Path) -> None:
    layout = Layout(tmp_path)
    first = thumbnail(layout, "ab12", photo)
    photo.write_bytes(b"no photo any more")
    assert thumbnail(layout, "ab12", photo) == first
    with pytest.raises(PhotoError):
        thumbnail(layout, "ab12", photo, side=40)
    assert not [path for path in layout.cache.rglob("*") if path.name.startswith(".tmp")]


def test_it_goes_with_its_photo(tmp_path: Path, photo: Path) -> None:
    layout = Layout(tmp_path)
    thumbnail(layout, "ab12", photo)
    photo.unlink()
    with pytest.raises(PhotoError, match="not on the disk any more"):
        thumbnail(layout, "ab12", photo)
    assert not list(layout.cache.rglob("*.jpg"))


def test_where_nothing_can_be_written_it_is_shown_all_the_same(tmp_path: Path, photo: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.cache.parent.mkdir()
    layout.cache.write_text("a file where the folder should be")
    assert thumbnail(layout, "ab12", photo)[:2] == b"\xff\xd8"


def test_a_small_picture_fits_into_its_box_upright_and_is_never_enlarged(photo: Path) -> None:
    assert small_picture(photo, box=(240, 320)).size == (240, 320)
    assert small_picture(photo, box=(300, 100)).size == (75, 100)
    assert small_picture(photo, box=(5000, 5000)).size == (480, 640)


def test_a_small_jpeg_of_less_quality_is_shorter_and_the_shortest_encoding_shows_the_same(photo: Path) -> None:
    shortest, quick = small_jpeg(photo, side=112), small_jpeg(photo, side=112, optimize=False)
    assert len(shortest) < len(quick)
    assert Image.open(io.BytesIO(shortest)).tobytes() == Image.open(io.BytesIO(quick)).tobytes()
    assert len(small_jpeg(photo, side=112, quality=40)) < len(shortest)
