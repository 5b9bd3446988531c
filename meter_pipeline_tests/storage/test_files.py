"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.errors import StorageError, storage_errors
from meter_pipeline.storage.files import (
    LARGEST_NAME,
    WINDOWS_DEVICE,
    read_json,
    replacing,
    safe_name,
    sha256_of,
    write_bytes,
    write_json,
)

LONG_NAMES = {
    "Devanagari": "\u0928\u092f\u093e \u092e\u0940\u091f\u0930 " * 30,
    "Chinese": "\u96fb\u8868" * 60,
    "Thai": "\u0e1b\u0e35\u0e48" * 60,
    "Arabic": "\u0639\u0651" * 100,
    "emoji": "\U0001f469\u200d\U0001f527" * 40,
    "decomposed": "a\u0301" * 150,
    "ASCII": "meter " * 60,
}
SURROGATES = st.text(st.characters(codec=None, categories=None), max_size=200)


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


@given(st.text(max_size=200) | SURROGATES | st.from_regex(WINDOWS_DEVICE) | st.sampled_from(list(LONG_NAMES.values())))
def test_a_safe_name_never_leaves_its_folder(text: str) -> None:
    name = safe_name(text)
    assert name
    assert Path(name).name == name
    assert name not in {".", ".."}
    assert not set(name) & set('<>:"/\\|?*\x00')
    assert len(name) <= 80
    assert len(name.encode()) <= LARGEST_NAME
    assert not WINDOWS_DEVICE.fullmatch(name)
    assert safe_name(name) == name


@pytest.mark.parametrize("text", LONG_NAMES.values(), ids=LONG_NAMES)
def test_a_long_name_is_cut_between_letters(text: str) -> None:
    name = safe_name(text)
    whole = unicodedata.normalize("NFC", text)
    assert whole.startswith(name)
    following = whole[len(name)]
    assert not unicodedata.category(following).startswith("M")
    assert "\u200d" not in (following, name[-1])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("con .x", "unnamed_con .x"),
        ("COM\u00b9", "unnamed_COM\u00b9"),
        ("con" + " " * 90 + "x", "unnamed_con"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("a\udcffb", "a_b"),
        ("\u0301" * 200, "\u0301" * 75),
    ],
)
def test_safe_names(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.parametrize("length", [1, 50, 64, 200, 250, 255])
@pytest.mark.parametrize("letter", ["a", "\u0928"])
def test_whatever_name_a_file_may_have_can_be_replaced(tmp_path: Path, letter: str, length: int) -> None:
    name = letter * (length // len(letter.encode())) + "a" * (length % len(letter.encode()))
    file, folder = tmp_path / name, tmp_path / "folders" / name
    for content in (b"old", b"new"):
        write_bytes(file, content)
        with replacing(folder) as temporary:
            assert len(temporary.name.encode()) <= max(length, 64)
            temporary.mkdir()
            write_bytes(temporary / "content", content)
    assert file.read_bytes() == (folder / "content").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 2
