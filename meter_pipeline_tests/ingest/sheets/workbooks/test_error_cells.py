"""Cells that hold an error: known in any language, and refused with their name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest

from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline.ingest.sheets.workbooks.error_cells import is_error


@pytest.mark.parametrize("word", ["#REF!", "#SPILL!", "#N/A", " #BUSY! ", "Err:502", "#BEZUG!", "#¡REF!", "#ERROR!"])
def test_error_values_are_known(word: str) -> None:
    assert is_error(word)


@pytest.mark.parametrize("word", ["", "#12", "Err", "http://photos.example/#REF!", "# 7", "#REF", "Error: 502"])
def test_other_texts_are_no_error_values(word: str) -> None:
    assert not is_error(word)


def test_error_cells_are_refused_as_such_and_travel_as_people_see_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Account", "Photo"])
    sheet.append(["#N/A", "http://photos.example/1.jpg"])
    sheet.append(["000124", "#REF!"])
    sheet.append(["000125", None])
    for place in ("A2", "B3"):
        sheet[place].data_type = "e"
    book.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert xml.count('t="e"') == 2
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [(row.row_number, row.image_url, row.reason) for row in found.rows] == [
        (2, "http://photos.example/1.jpg", None),
        (3, "#REF!", "the cell holds the error #REF!: correct its formula"),
        (4, "", "no URL"),
    ]
    assert found.rows[0].other_columns == {"Account": "#N/A"}
    text = tmp_path / "a.csv"
    text.write_text("Photo\nhttp://photos.example/1.jpg\n#N/A\n", encoding="utf-8")
    assert "error #N/A" in str(read_spreadsheet(text).rows[1].reason)
