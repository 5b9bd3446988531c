"""Errors of the system and of libraries, as a person reads them."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.library_errors import explained


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full."),
        (errno.EROFS, "The disk is read-only."),
        (errno.EACCES, "No permission"),
        (errno.EISDIR, "A folder stands where a file should be."),
        (errno.ENOENT, "is not there"),
        (errno.ELOOP, "The system says"),
    ],
)
def test_errors_of_the_system_name_the_file_and_what_to_do(number: int, said: str) -> None:
    sentence = explained(OSError(number, "text", "/data/x.csv"))
    assert sentence is not None
    assert said in sentence.what
    assert (sentence.where, bool(sentence.fix)) == ("/data/x.csv", True)


def test_errors_of_libraries_that_read_files_lead_to_verify(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"garbage that is no Parquet")
    with pytest.raises(Exception) as by_arrow:
        pq.read_table(tmp_path / "x.parquet")
    with pytest.raises(duckdb.Error) as by_duckdb:
        duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path / 'x.parquet'}')")
    for raised in (by_arrow.value, by_duckdb.value, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")):
        sentence = explained(raised, where=tmp_path)
        assert sentence is not None
        assert "meter verify" in sentence.fix
        assert sentence.where


def test_what_a_room_said_goes_before_what_a_library_said() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = MeterError("The drop is too large.", where="may.xlsx")
    error.__cause__.__cause__ = OSError(errno.ENOSPC, "text", "/x")
    assert explained(error) is error.__cause__


def test_a_fault_of_the_program_is_not_explained_away() -> None:
    assert explained(KeyError("x")) is None
