"""Links behind the text that people see, of a cell and of a formula."""

from __future__ import annotations

from pathlib import Path

import openpyxl

from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet


def test_links_behind_text_and_behind_formulas(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["No", "Photo"])
    for number in range(4):
        sheet.append([number, "show"])
    sheet["B2"].hyperlink = "http://p.example/a.jpg?x=1&y=2"
    sheet["B3"] = '=HYPERLINK("http://p.example/b.jpg","show ""it""")'
    sheet["B4"] = '=HYPERLINK(A4&".jpg","made up")'
    sheet["B5"] = "http://p.example/c.jpg"
    sheet["B5"].hyperlink = "http://p.example/older.jpg"
    book.save(tmp_path / "a.xlsx")
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [row.image_url for row in found.rows] == [
        "http://p.example/a.jpg?x=1&y=2",
        "http://p.example/b.jpg",
        "",
        "http://p.example/c.jpg",
    ]
