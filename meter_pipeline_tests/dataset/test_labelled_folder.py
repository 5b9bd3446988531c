"""The folder of labelled photos: what its listing depends on, and that looking is quick."""

from __future__ import annotations

import os
from pathlib import Path

from meter_pipeline.dataset.labelled_folder import list_files, listing_digest
from meter_pipeline_tests.support.bounds import takes_at_most


def test_the_listing_changes_with_every_file_and_with_nothing_else(tmp_path: Path) -> None:
    versions = [listing_digest(tmp_path / "not_there")]
    photo = tmp_path / "LT2" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"1")
    versions.append(listing_digest(tmp_path))
    os.utime(photo, ns=(1, 1))
    versions.append(listing_digest(tmp_path))
    photo.write_bytes(b"12")
    versions.append(listing_digest(tmp_path))
    photo.rename(tmp_path / "LT2" / "b.jpg")
    versions.append(listing_digest(tmp_path))
    (tmp_path / "groups.csv").write_bytes(b"path,group\n")
    versions.append(listing_digest(tmp_path))
    assert len(set(versions)) == len(versions)
    (tmp_path / "LT2" / ".hidden").write_bytes(b"1")
    assert listing_digest(tmp_path) == versions[-1]


def test_listing_ten_thousand_files_is_quick(tmp_path: Path) -> None:
    for group in range(10):
        (tmp_path / f"C{group}").mkdir()
        for n in range(1000):
            (tmp_path / f"C{group}" / f"{n}.jpg").touch()
    with takes_at_most(2.0):  # measured: 0.1 s
        listing_digest(tmp_path)
    paths = [file.path for file in list_files(tmp_path)]
    assert paths == sorted(paths)
