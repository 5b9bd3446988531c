"""The folder of drops: which files are listed, when one is complete, and what changes the version of the listing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from meter_pipeline.ingest.drop_folder import DropFile, listing, listing_version, settled
from meter_pipeline.storage.layout import Layout


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
