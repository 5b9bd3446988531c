"""Photos of the store against their names: what was cut or changed is found, and nowhere taken for the photo."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.metadata_stripping import without_metadata
from meter_pipeline.photos.photo_files import DAMAGED, LOST, passes
from meter_pipeline.photos.store import store
from meter_pipeline.photos.thumbnails import small_jpeg
from meter_pipeline.photos.whole_store import damaged_photos
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.fault_server import PHOTO, jpeg

TURNED_BIT = bytearray(PHOTO)
TURNED_BIT[len(PHOTO) // 2] ^= 1


@pytest.mark.parametrize("content", [bytes(TURNED_BIT), PHOTO[: len(PHOTO) // 2], b"", jpeg(7)])
def test_a_file_that_is_not_its_names_photo_is_used_by_nobody(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path)
    path = layout.image(store(layout, PHOTO).image_id)
    assert list(damaged_photos(layout.images)) == []
    path.write_bytes(content)
    for reading in (open_photo, without_metadata, lambda path: small_jpeg(path, side=64)):
        with pytest.raises(PhotoError) as refused:
            reading(path)
        assert (refused.value.reason, refused.value.where) == (DAMAGED, str(path))
    assert [(found.path, found.image_id) for found in damaged_photos(layout.images)] == [(path, path.stem)]
    assert store(layout, PHOTO).image_id == path.stem
    assert path.read_bytes() == PHOTO


def test_a_photo_that_could_not_be_read_now_is_not_called_damaged(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = layout.image(store(layout, PHOTO).image_id)
    path.unlink()
    path.symlink_to(path)  # an error that root has too
    with pytest.raises(PhotoError) as refused:
        open_photo(path)
    assert passes(refused.value.reason)
    assert [found.may_pass for found in damaged_photos(layout.images)] == [True]
    path.unlink()
    path.mkdir()
    assert [found.may_pass for found in damaged_photos(layout.images)] == [False]


def test_a_lost_photo_says_so_and_other_files_are_not_judged_by_their_names(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = layout.image(store(layout, PHOTO).image_id)
    mine = layout.raw / "LT2" / f"{'0' * 64}.jpg"
    mine.parent.mkdir(parents=True)
    path.rename(mine)
    assert open_photo(mine).width == 120
    with pytest.raises(PhotoError) as refused:
        open_photo(path)
    assert refused.value.reason == LOST
