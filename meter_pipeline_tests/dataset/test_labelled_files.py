"""Where a photo lies in data/raw is found by its bytes, and files that cannot hold it are not read."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.dataset import labelled_files
from meter_pipeline.dataset.image_inventory import take_inventory
from meter_pipeline.dataset.labelled_files import LabelledFiles
from meter_pipeline.dataset.promoted_files import promoted_name
from meter_pipeline.photos.store import image_id_of
from meter_pipeline.storage.tables import IMAGE_INVENTORY
from meter_pipeline_tests.support.reviewed_photos import photo_bytes

NOTHING = pd.DataFrame(columns=list(IMAGE_INVENTORY.columns))
PHOTO = photo_bytes(1)
PHOTO_ID = image_id_of(PHOTO)


def put(raw: Path, *paths: str, content: bytes = PHOTO) -> None:
    for path in paths:
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_bytes(content)


def test_a_photo_is_found_in_every_class_and_nowhere_else(tmp_path: Path) -> None:
    put(tmp_path, "LT2/a.jpg", "LT2/may/b.jpg", "LT3/c.jpg", "lost.jpg", "UNKNOWN/d.jpg")
    put(tmp_path, "LT2/other.jpg", content=photo_bytes(2))
    found = LabelledFiles(tmp_path, NOTHING).where_lie({PHOTO_ID: len(PHOTO)})
    assert found == {PHOTO_ID: ["LT2/a.jpg", "LT2/may/b.jpg", "LT3/c.jpg"]}


def test_a_photo_of_unknown_size_is_found_by_the_name_that_promotion_gives(tmp_path: Path) -> None:
    put(tmp_path, f"LT2/{promoted_name(PHOTO_ID)}")
    put(tmp_path, f"LT3/{promoted_name(PHOTO_ID)}", content=photo_bytes(2))
    assert LabelledFiles(tmp_path, NOTHING).where_lie({PHOTO_ID: None}) == {
        PHOTO_ID: [f"LT2/{promoted_name(PHOTO_ID)}"]
    }


def test_only_files_that_changed_and_could_be_the_photo_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "LT2/a.jpg", "LT2/b.jpg")
    put(tmp_path, "LT2/other.jpg", content=PHOTO + b"1")
    inventory = take_inventory(tmp_path, NOTHING)
    put(tmp_path, "LT2/b.jpg", content=PHOTO[:-1] + b"x")
    put(tmp_path, "LT2/larger.jpg", content=PHOTO + b"12")
    read: list[str] = []
    real = labelled_files.sha256_of
    monkeypatch.setattr(labelled_files, "sha256_of", lambda path: read.append(path.name) or real(path))
    found = LabelledFiles(tmp_path, inventory).where_lie({PHOTO_ID: len(PHOTO)})
    assert found == {PHOTO_ID: ["LT2/a.jpg"]}
    assert read == ["b.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_holds_no_photo(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.jpg").write_bytes(PHOTO)
    (tmp_path / "raw" / "LT2").mkdir(parents=True)
    (tmp_path / "raw" / "LT2" / promoted_name(PHOTO_ID)).symlink_to(tmp_path / "elsewhere.jpg")
    files = LabelledFiles(tmp_path / "raw", NOTHING)
    assert files.where_lie({PHOTO_ID: len(PHOTO)}) == {}
    assert not files.looks_like_photo(f"LT2/{promoted_name(PHOTO_ID)}")
