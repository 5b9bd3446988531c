"""Workbooks: text stays text and comes back, and the same rows give the same bytes."""

from __future__ import annotations

import io
import time

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from meter_pipeline.storage.xlsx import MAX_CELL_CHARACTERS, workbook_bytes

HEADER = ["image_url", "top1_confidence", "Account"]
ROWS = [["http://p.example/1.jpg", 91.234, "=1+1"], ["http://p.example/2.jpg", None, "#N/A"]]


def sheet_of(content: bytes) -> Worksheet:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert isinstance(sheet, Worksheet)
    return sheet


def test_text_is_stored_as_text_and_numbers_with_their_decimals() -> None:
    sheet = sheet_of(workbook_bytes(HEADER, ROWS))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [HEADER, *ROWS]
    assert [sheet[place].data_type for place in ("C2", "C3")] == ["s", "s"]
    assert (sheet["B2"].number_format, sheet["A1"].font.bold) == ("0.00", True)


def test_a_text_longer_than_a_cell_can_hold_is_cut() -> None:
    sheet = sheet_of(workbook_bytes(["Remark"], [["x" * (MAX_CELL_CHARACTERS + 5)]]))
    assert sheet["A2"].value == "x" * MAX_CELL_CHARACTERS


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_at_another_time() -> None:
    first = workbook_bytes(HEADER, ROWS)
    time.sleep(1.1)  # a workbook names the second it was made in
    assert workbook_bytes(HEADER, ROWS) == first
