"""Cells that hold an error: found wherever they are, refused with their name, and in bounded time."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import openpyxl

from meter_pipeline.ingest.sheets.error_cells import errors_of_part
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet


def test_an_error_of_a_formula_and_one_across_the_readers_chunks_are_found() -> None:
    cell = '<c r="B{}" s="1" t="e"><f t="shared" si="0">VLOOKUP(A1,Z:Z,1,0)</f><v>#N/A</v></c>'
    cells = "".join(cell.format(row) + f'<c r="C{row}" t="s"><v>{row}</v></c>' for row in range(1, 20_001))
    with io.BytesIO() as buffer, zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sheet.xml", cells)
        assert len(cells) > 1 << 20
        assert errors_of_part(archive, "sheet.xml") == {(row, 1): "#N/A" for row in range(1, 20_001)}


def test_looking_for_error_cells_takes_no_longer_for_what_somebody_made_to_hold_it_up() -> None:
    for part in (b"<c " * 300_000, b'<c t="e" ' * 100_000, b'<c r="A1" t="e"><f>' * 50_000, b"<c " + b"a " * 500_000):
        with io.BytesIO() as buffer, zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("sheet.xml", part)
            start = time.process_time()
            assert errors_of_part(archive, "sheet.xml") == {}
            assert time.process_time() - start < 3


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
