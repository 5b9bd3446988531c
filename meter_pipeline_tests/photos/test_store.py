from __future__ import annotations

import os
from pathlib import Path

import pytest

from meter_pipeline.photos import store as store_module
from meter_pipeline.photos.decoding import Photo, PhotoError, open_photo
from meter_pipeline.photos.store import PhotosMet, image_id_of, store, stored_ids, stored_sizes
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.fault_server import PHOTO, jpeg


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


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The image_ids of what was decoded."""
    ids = list[str]()

    def counting(content: bytes) -> Photo:
        ids.append(image_id_of(content))
        return open_photo(content)

    monkeypatch.setattr(store_module, "open_photo", counting)
    return ids


def test_a_photo_that_was_met_is_not_decoded_again_and_is_said_to_be_the_same(
    tmp_path: Path, decoded: list[str]
) -> None:
    layout = Layout(tmp_path)
    photos = PhotosMet(layout)
    first, again = photos.store(PHOTO), photos.store(PHOTO)
    assert again.columns() == first.columns() == store(layout, PHOTO).columns()
    assert decoded == [first.image_id] * 2, "the second time by `store`, which remembers nothing"
    path = layout.image(first.image_id)
    for damage in (path.unlink, lambda: path.write_bytes(PHOTO[:-1])):
        damage()
        assert photos.store(PHOTO) == first
        assert path.read_bytes() == PHOTO


def test_only_the_photos_met_last_are_remembered(tmp_path: Path, decoded: list[str]) -> None:
    photos = PhotosMet(Layout(tmp_path), most=2)
    contents = [jpeg(seed) for seed in range(3)]
    for number in (0, 1, 0, 2, 0, 1):
        photos.store(contents[number])
    assert [decoded.count(image_id_of(content)) for content in contents] == [1, 2, 1]


def test_what_is_no_photo_is_refused_each_time(tmp_path: Path) -> None:
    photos = PhotosMet(Layout(tmp_path))
    for _ in range(2):
        with pytest.raises(PhotoError):
            photos.store(PHOTO[: len(PHOTO) // 2])
