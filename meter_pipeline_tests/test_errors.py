"""What users can cause is said with what, where and what to do; bugs raise whatever Python raises."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from meter_pipeline.errors import MeterError, StorageError, storage_errors


def test_a_message_has_what_where_and_what_to_do() -> None:
    assert str(MeterError("The file is empty.", where="a.xlsx", fix="Save it again.")) == (
        "The file is empty. [a.xlsx] Save it again."
    )
    assert str(MeterError("The file is empty.")) == "The file is empty."


@pytest.mark.parametrize(
    ("code", "what"),
    [(errno.ENOSPC, "The disk is full."), (errno.EROFS, "The disk is read-only."), (errno.EACCES, "No permission")],
)
def test_a_storage_problem_names_the_path_and_what_to_do(code: int, what: str) -> None:
    with pytest.raises(StorageError, match=what) as caught, storage_errors(Path("data/lake")):
        raise OSError(code, os.strerror(code))
    assert caught.value.where == str(Path("data/lake"))
    assert caught.value.fix
    assert isinstance(caught.value.__cause__, OSError)


def test_a_file_in_the_place_of_a_folder_is_such_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageError, match="A file stands where a folder should be"), storage_errors(tmp_path):
        (tmp_path / "data" / "lake").mkdir()
    with pytest.raises(StorageError, match="A file stands where a folder should be"), storage_errors(tmp_path):
        (tmp_path / "data").mkdir(exist_ok=True)


def test_any_other_error_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        (tmp_path / "missing").read_bytes()
    with pytest.raises(ValueError, match="a bug"), storage_errors(tmp_path):
        raise ValueError("a bug")
