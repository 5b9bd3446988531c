"""The folders say what the split says, touch only what changed, and never harm data/raw."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.dataset.processed_folders import write_processed
from meter_pipeline.errors import DataSetError, MeterError
from meter_pipeline.storage.tables import DATASET_SPLIT


def split_rows(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of (path, split, start of image_id)."""
    table = [(digit * 64, path, path.split("/")[0], digit * 16, split, "") for path, split, digit in rows]
    return pd.DataFrame(table, columns=list(DATASET_SPLIT.columns))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for path in ("LT2/a.JPG", "LT2/may/a.JPG", "GENUS 1/b.png"):
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / path).write_bytes(path.encode())
    return tmp_path / "raw"


SPLIT = split_rows(("LT2/a.JPG", "train", "a"), ("LT2/may/a.JPG", "test", "b"), ("GENUS 1/b.png", "val", "c"))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_links_a_photo_and_no_copies(raw: Path, tmp_path: Path) -> None:
    processed = tmp_path / "processed"
    write_processed(SPLIT, raw, processed)
    assert files(processed) == [
        "test/LT2/a-bbbbbbbbbbbb.jpg",
        "train/LT2/a-aaaaaaaaaaaa.jpg",
        "val/GENUS 1/b-cccccccccccc.png",
    ]
    assert (processed / "train/LT2/a-aaaaaaaaaaaa.jpg").samefile(raw / "LT2/a.JPG")


def test_a_second_time_touches_nothing_and_a_change_only_itself(raw: Path, tmp_path: Path) -> None:
    processed = tmp_path / "processed"
    write_processed(SPLIT, raw, processed)
    folders = [processed / "test/LT2", processed / "train/LT2"]
    for folder in folders:
        os.utime(folder, ns=(1, 1))
    write_processed(SPLIT, raw, processed)
    assert [folder.stat().st_mtime_ns for folder in folders] == [1, 1]
    moved = SPLIT.assign(split=["train", "test", "train"])
    write_processed(moved, raw, processed)
    assert [folder.stat().st_mtime_ns for folder in folders] == [1, 1]
    assert files(processed)[-2:] == ["train/GENUS 1/b-cccccccccccc.png", "train/LT2/a-aaaaaaaaaaaa.jpg"]
    assert not (processed / "val/GENUS 1").exists()
    assert files(raw) == ["GENUS 1/b.png", "LT2/a.JPG", "LT2/may/a.JPG"]


def test_copies_where_the_disk_has_no_links(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write_processed(SPLIT, raw, tmp_path / "processed")
    copy = tmp_path / "processed/val/GENUS 1/b-cccccccccccc.png"
    assert copy.read_bytes() == b"GENUS 1/b.png"
    assert not copy.samefile(raw / "GENUS 1/b.png")
    os.utime(copy, ns=(1, 1))
    write_processed(SPLIT, raw, tmp_path / "processed")
    assert copy.stat().st_mtime_ns == 1


def test_what_a_killed_run_left_is_cleared_and_what_a_person_put_there_is_not(raw: Path, tmp_path: Path) -> None:
    train = tmp_path / "processed" / "train" / "LT2"
    train.mkdir(parents=True)
    (train / ".tmp-12345678-a-aaaaaaaaaaaa.jpg").write_bytes(b"half")
    (train / "a-aaaaaaaaaaaa.jpg").write_bytes(b"half")
    (train / "my only copy.jpg").write_bytes(b"dear")
    write_processed(SPLIT, raw, tmp_path / "processed")
    assert files(train) == ["a-aaaaaaaaaaaa.jpg", "my only copy.jpg"]
    assert (train / "a-aaaaaaaaaaaa.jpg").read_bytes() == b"LT2/a.JPG"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_in_the_folders_are_not_followed(raw: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "old-aaaaaaaaaaaa.jpg"
    outside.parent.mkdir()
    outside.write_bytes(b"dear")
    processed = tmp_path / "processed"
    (processed / "train").mkdir(parents=True)
    (processed / "train" / "linked").symlink_to(outside.parent, target_is_directory=True)
    write_processed(SPLIT, raw, processed)
    assert outside.read_bytes() == b"dear"
    (processed / "elsewhere").mkdir()
    (processed / "val" / "GENUS 1" / "b-cccccccccccc.png").unlink()
    (processed / "val" / "GENUS 1").rmdir()
    (processed / "val").rmdir()
    (processed / "val").symlink_to(outside.parent, target_is_directory=True)
    with pytest.raises(MeterError, match="is a link"):
        write_processed(SPLIT, raw, processed)


@pytest.mark.parametrize("path", ["../raw/LT2/a.JPG", "/etc/passwd", "LT2/../../x"])
def test_a_name_that_leads_out_of_the_folder_stops(raw: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(MeterError, match="leads out"):
        write_processed(split_rows((path, "train", "a")), raw, tmp_path / "processed")


@pytest.mark.parametrize("label", ["..", "../LT2", "LT3", ""])
def test_a_label_that_leads_elsewhere_stops(raw: Path, tmp_path: Path, label: str) -> None:
    with pytest.raises(MeterError, match="leads out"):
        write_processed(split_rows(("LT2/a.JPG", "train", "a")).assign(label=label), raw, tmp_path / "processed")
    with pytest.raises(MeterError, match="leads out"):
        write_processed(split_rows((" ../a.JPG", "train", "a")).assign(label=".."), raw, tmp_path / "processed")


def test_folders_that_are_one_class_are_one_folder(raw: Path, tmp_path: Path) -> None:
    (raw / "lt2 ").mkdir()
    (raw / "lt2 " / "c.jpg").write_bytes(b"c")
    split = split_rows(("LT2/a.JPG", "train", "a"), ("lt2 /c.jpg", "train", "c")).assign(label="LT2")
    write_processed(split, raw, tmp_path / "processed")
    assert files(tmp_path / "processed") == ["train/LT2/a-aaaaaaaaaaaa.jpg", "train/LT2/c-cccccccccccc.jpg"]


def test_a_photo_that_is_gone_says_what_to_do(raw: Path, tmp_path: Path) -> None:
    (raw / "LT2/a.JPG").unlink()
    with pytest.raises(DataSetError, match=r"a\.JPG.*image_inventory"):
        write_processed(SPLIT, raw, tmp_path / "processed")
