"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.errors import StorageError, storage_errors
from meter_pipeline.storage.files import read_json, replacing, safe_name, sha256_of, write_bytes, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.json"
    write_json(target, {"old": 1})

    def fail_half_way() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half of it", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert read_json(target) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    for content in ("old", "new"):
        with replacing(folder) as temporary:
            temporary.mkdir()
            (temporary / f"{content}.txt").write_text(content, encoding="utf-8")
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path) -> None:
    def write_on_a_full_disk() -> None:
        with storage_errors(tmp_path / "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"disk is full.*x\].*Free some space"):
        write_on_a_full_disk()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_device_is_a_storage_error() -> None:
    def write() -> None:
        with storage_errors(Path("/dev/full")), Path("/dev/full").open("wb") as handle:
            handle.write(b"x" * 10)
            handle.flush()

    with pytest.raises(StorageError, match="disk is full"):
        write()


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.text(max_size=200))
def test_a_safe_name_never_leaves_its_folder(text: str) -> None:
    name = safe_name(text)
    assert name
    assert Path(name).name == name
    assert name not in {".", ".."}
    assert not set(name) & set('<>:"/\\|?*\x00')
    assert len(name) <= 90
    assert safe_name(name) == name
