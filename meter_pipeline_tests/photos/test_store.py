from __future__ import annotations

import os
from pathlib import Path

import pytest

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.store import image_id_of, store, stored_ids, stored_sizes
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.fault_server import PHOTO


def test_a_photo_is_stored_once_under_the_hash_of_its_bytes(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    photo = store(layout, PHOTO)
    path = layout.image(image_id_of(PHOTO))
    written = path.stat().st_mtime_ns, path.stat().st_ino
    assert path.read_bytes() == PHOTO
    assert (photo.width, photo.height, photo.bytes) == (120, 200, len(PHOTO))
    assert store(layout, PHOTO) == photo
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written
    assert stored_ids(layout) == {photo.image_id}


@pytest.mark.parametrize("content", [b"", b"<html>", PHOTO[: len(PHOTO) // 2]], ids=["nothing", "web page", "half"])
def test_what_is_no_whole_photo_is_not_stored(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PhotoError):
        store(Layout(tmp_path), content)
    assert stored_ids(Layout(tmp_path)) == set()
    assert not list(tmp_path.rglob("*.jpg"))


def test_what_a_killed_run_left_half_written_is_removed_in_time(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    photo = store(layout, PHOTO)
    folder = layout.image(photo.image_id).parent
    for name, age in ((".tmp-old.jpg", 1), (".tmp-new.jpg", None)):
        (folder / name).write_bytes(b"x")
        if age is not None:
            os.utime(folder / name, (age, age))
    assert stored_ids(layout) == {photo.image_id}
    assert len(list(folder.glob(".tmp-*"))) == 2, "who only reads removes nothing"
    assert set(stored_sizes(layout, sweep=True)) == {photo.image_id}
    assert sorted(path.name for path in folder.glob(".tmp-*")) == [".tmp-new.jpg"]
