"""The folder of drops: which files are listed, when one is complete, and what changes the version of the listing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from meter_pipeline.ingest.drop_folder import DropFile, listing, listing_version, settled
from meter_pipeline.storage.layout import Layout

TICK_S = 0.05
"""A file system's clock moves in steps of some milliseconds."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


def test_the_listing_leaves_out_what_programs_are_still_writing(layout: Layout) -> None:
    for name in (
        "b.xlsx",
        "a.csv",
        "~$b.xlsx",
        ".hidden.csv",
        ".~lock.a.csv#",
        "c.xlsx.crdownload",
        "d.part",
        "e.tmp",
        "8F3A21B0",
    ):
        (layout.drops / name).write_bytes(b"x")
    (layout.drops / "folder.csv").mkdir()
    assert [file.name for file in listing(layout.drops)] == ["a.csv", "b.xlsx"]
    assert listing(layout.drops / "missing") == []


def test_the_version_of_the_listing_changes_with_every_file_and_not_by_looking_twice(layout: Layout) -> None:
    versions = [listing_version(listing(layout.drops))]
    path = layout.drops / "a.csv"
    path.write_text("account,url\n000,http://p.example/1.jpg\n", encoding="utf-8")
    versions.append(listing_version(listing(layout.drops)))
    assert listing_version(listing(layout.drops)) == versions[-1]
    os.utime(path, ns=(1, 1))
    versions.append(listing_version(listing(layout.drops)))
    path.unlink()
    assert listing_version(listing(layout.drops)) == versions[0]
    assert len(set(versions)) == 3


def test_a_file_is_whole_when_two_looks_agree() -> None:
    first = [DropFile("a.csv", 10, 1), DropFile("b.csv", 10, 1)]
    second = [DropFile("a.csv", 10, 1), DropFile("b.csv", 20, 2), DropFile("c.csv", 5, 1)]
    remembered = [DropFile(*entry) for entry in json.loads(json.dumps(first))]
    assert settled(first, []) == ([], first)
    assert settled(second, remembered) == (second[:1], second[1:])
    assert settled(second, second) == (second, [])


def test_folders_are_read_however_deep_and_links_are_listed_but_not_followed(layout: Layout, tmp_path: Path) -> None:
    (layout.drops / "May" / "week 20" / "deep").mkdir(parents=True)
    for name in ("May/inside.csv", "May/week 20/deep/b.xlsx", "May/photo.jpg", "May/~$inside.csv", "May/.DS_Store"):
        (layout.drops / name).write_bytes(b"x")
    for name in ("__MACOSX/._inside.csv", ".hidden/a.csv", "20260501/of a day.csv", "a.csv.download/a.csv"):
        (layout.drops / name).parent.mkdir()
        (layout.drops / name).write_bytes(b"x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_bytes(b"x")
    (layout.drops / "May" / "loop").symlink_to(layout.drops)
    (layout.drops / "folder link").symlink_to(outside)
    (layout.drops / "link.csv").symlink_to(outside / "secret.csv")
    (layout.drops / "nowhere.csv").symlink_to(outside / "nowhere.csv")
    os.mkfifo(layout.drops / "pipe.csv")
    found = listing(layout.drops)
    assert [file.name for file in found if not file.problem] == [
        "20260501/of a day.csv",
        "May/inside.csv",
        "May/week 20/deep/b.xlsx",
    ]
    links = ["May/loop", "folder link", "link.csv", "nowhere.csv"]
    assert [file.name for file in found if "links are not followed" in file.problem] == links
    assert [file.name for file in found if "pipe" in file.problem] == ["pipe.csv"]
    assert len(found) == 8


def test_a_folder_without_a_spreadsheet_is_listed_with_what_it_holds(layout: Layout) -> None:
    (layout.drops / "photos" / "more").mkdir(parents=True)
    (layout.drops / "empty").mkdir()
    for name in ("a.jpg", "b.jpg", "more/c.jpg", "more/d.jpg"):
        (layout.drops / "photos" / name).write_bytes(b"x")
    (found,) = listing(layout.drops)
    assert found.name == "photos"
    assert found.problem == "This folder holds no spreadsheet (a.jpg, b.jpg, c.jpg, ...)."


def test_folders_that_are_too_deep_are_said(layout: Layout) -> None:
    deep = layout.drops.joinpath(*["f"] * 40)
    deep.mkdir(parents=True)
    (deep / "a.csv").write_bytes(b"x")
    (found,) = listing(layout.drops)
    assert "16 levels" in found.problem


def test_a_folder_that_cannot_be_opened_stops_no_other(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    (layout.drops / "locked").mkdir()
    (layout.drops / "a.csv").write_bytes(b"x")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [(file.name, bool(file.problem)) for file in listing(layout.drops)] == [("a.csv", False), ("locked", True)]


def test_a_name_that_is_no_text_is_listed_and_shown(layout: Layout) -> None:
    (layout.drops / os.fsdecode(b"Z\xe4hler.csv")).write_bytes(b"x")
    (found,) = listing(layout.drops)
    assert found.shown == "Z\\udce4hler.csv"
    assert (layout.drops / found.name).read_bytes() == b"x"
    assert settled([found], [DropFile(*entry) for entry in json.loads(json.dumps([found]))]) == ([found], [])
    assert len(listing_version([found])) == 16


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen_once(layout: Layout, tmp_path: Path) -> None:
    path, other = layout.drops / "a.csv", tmp_path / "a.csv"
    path.write_bytes(b"old")
    before = path.stat()
    other.write_bytes(b"new")
    versions = [listing_version(listing(layout.drops))]
    time.sleep(TICK_S)
    path.write_bytes(b"new")  # in place, as `cp -p` does
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    versions.append(listing_version(listing(layout.drops)))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    time.sleep(TICK_S)
    other.replace(path)
    versions.append(listing_version(listing(layout.drops)))
    assert len(set(versions)) == 3
    path.read_bytes()
    assert listing_version(listing(layout.drops)) == versions[-1], "reading changes nothing"
