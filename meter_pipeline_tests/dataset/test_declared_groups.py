"""What people declare in groups.csv reaches the photos they mean; a file that cannot be understood says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.dataset.declared_groups import read_groups
from meter_pipeline.errors import DataSetError

ROWS = [
    {"path": "LT2/a.jpg", "image_id": "1a"},
    {"path": "LT2/may/b.jpg", "image_id": "2b"},
    {"path": "GENUS/b.jpg", "image_id": "3c"},
    {"path": "LT2/damaged.jpg", "image_id": None},
]


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        (["path,group", "LT2/a.jpg,pole 7", "LT2\\may\\b.jpg,pole 7"], {"1a": "pole 7", "2b": "pole 7"}),
        (["Group , FILE", "pole 7,b.jpg"], {"2b": "pole 7", "3c": "pole 7"}),
        (["image_id,group,note", "1a,pole 7,by the gate", "9z,pole 8,gone", "2b,,"], {"1a": "pole 7"}),
        (["path,group", "LT2/damaged.jpg,pole 7", "LT2/gone.jpg,pole 7"], {}),
    ],
    ids=["by path, slashes or backslashes", "by name in every folder", "by image_id", "files that are not used"],
)
def test_a_line_names_photos_by_path_name_or_id(tmp_path: Path, lines: list[str], groups: dict[str, str]) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    assert read_groups(path, ROWS) == groups


def test_without_the_file_nothing_is_declared(tmp_path: Path) -> None:
    assert read_groups(tmp_path / "groups.csv", ROWS) == {}


@pytest.mark.parametrize("content", [b"photo;group\na;b\n", b"", b"path,group\n\xff\xfe\n"])
def test_a_file_that_cannot_be_understood_stops_with_what_it_needs(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    with pytest.raises(DataSetError, match=r"groups\.csv.*needs the columns"):
        read_groups(path, ROWS)
