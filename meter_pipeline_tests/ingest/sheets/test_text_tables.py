"""Text tables: encoding and delimiter are detected, and no content of a cell breaks the reader."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline_tests.support.account_sheets import ROWS, check_rows
from meter_pipeline_tests.support.sheet_writers import as_text

TEXTS = {
    "utf8.csv": (",", "utf-8"),
    "mark.csv": (";", "utf-8-sig"),
    "windows.csv": (";", "cp1252"),
    "utf16.tsv": ("\t", "utf-16"),
    "utf16-no-mark.txt": ("\t", "utf-16-le"),
    "sap.xls": ("\t", "utf-16"),
    "pipe.csv": ("|", "utf-8"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_kind_of_text_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    delimiter, encoding = TEXTS[name]
    rows = [*ROWS[:1], [*ROWS[1]], *ROWS[2:]]
    rows[3] = [*rows[3][:4], "Zähler dunkel"]
    rows[5] = [*rows[5][:2], 10**15, *rows[5][3:]]
    path = tmp_path / name
    path.write_bytes(as_text(rows, delimiter).encode(encoding))
    found = read_spreadsheet(path)
    check_rows(found)
    assert found.rows[1].other_columns["Remark"] == "Zähler dunkel"


def test_quoted_fields_separator_line_and_an_inch_sign(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('sep=;\r\nurl;remark\r\nhttp://p.example/1.jpg;"a;b\nc"\r\n', encoding="utf-8")
    assert read_spreadsheet(tmp_path / "a.csv").rows[0].other_columns == {"remark": "a;b\nc"}
    (tmp_path / "b.csv").write_text(
        'remark,url\n"3 pipe,http://p.example/1.jpg\nx,http://p.example/2.jpg\n', encoding="utf-8"
    )
    assert len(read_spreadsheet(tmp_path / "b.csv").rows) == 2


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=6), delimiter=st.sampled_from(",;\t|")
)
@example(rows=[["\r0"] * 3], delimiter=",")
def test_no_cell_content_breaks_the_reader(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path / "a.csv"
    lines = [["url", *"abc"], *([f"http://p.example/{i}.jpg", *row] for i, row in enumerate(rows))]
    # A line break that is not quoted is a new row, and with enough of those no column is one of URLs.
    cells = [[" ".join(cell.splitlines()) for cell in line] for line in lines]
    path.write_bytes("\n".join(delimiter.join(line) for line in cells).encode())
    found = read_spreadsheet(path)
    numbers = [row.row_number for row in found.rows]
    assert numbers == sorted(numbers)
    assert any(row.reason is None for row in found.rows)
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode())
    with contextlib.suppress(SpreadsheetError):
        numbers = [row.row_number for row in read_spreadsheet(path).rows]
        assert numbers == sorted(numbers)
