"""Files that cannot be read: refused with their name, the reason and advice; any others are read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets import sheet_files
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline_tests.support.sheet_writers import write_xlsx
from meter_pipeline_tests.support.xlsb_writer import write_xlsb

ROWS = [["Account", "Photo"], *([f"{n:06d}", f"http://photos.example/{n}.jpg"] for n in range(5))]


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.xlsx", b"", "empty"),
    "not a spreadsheet": ("a.docx", b"x", "not a spreadsheet"),
    "text called xlsx": ("a.xlsx", b"url\nhttp://p.example/1.jpg\n", "text, not a .xlsx"),
    "web page called xls": ("a.xls", b"<html><table><tr><td>http://p.example/1.jpg", "web page"),
    "photo called xlsx": ("a.xlsx", b"\xff\xd8\xff\xe0", "JPEG"),
    "pdf called csv": ("a.csv", b"%PDF-1.7", "PDF"),
    "zip called csv": ("a.csv", zipped({"a.txt": b"x"}), "name of a text file"),
    "binary called csv": ("a.csv", bytes(range(256)) * 40, "damaged"),
    "zip called xlsx": ("a.xlsx", zipped({"a.txt": b"x"}), "zip archive"),
    "word called xlsx": ("a.xlsx", zipped({"word/document.xml": b"<x/>"}), "Word"),
    "bomb": ("a.xlsx", zipped({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(60_000_000)}), "unpacks"),
    "encrypted xlsx": ("a.xlsx", OLE + bytes(2000) + "EncryptedPackage".encode("utf-16-le"), "password"),
    "old word called xls": ("a.xls", OLE + bytes(2000) + "WordDocument".encode("utf-16-le"), "old Word document"),
    "broken old workbook": ("a.xls", OLE + bytes(2000) + "Workbook".encode("utf-16-le"), "damaged"),
    "no cells": ("a.csv", b"\n\n\n", "no filled cells"),
    "entities": (
        "a.xlsx",
        zipped(
            {
                "xl/workbook.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><workbook>&a;</workbook>',
                "xl/_rels/workbook.xml.rels": b"<x/>",
            }
        ),
        "damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_with_name_reason_and_advice(tmp_path: Path, case: str) -> None:
    name, content, why = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpreadsheetError, match=why) as caught:
        read_spreadsheet(tmp_path / name)
    assert caught.value.where == name
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_workbook_cut_off_anywhere_is_refused(tmp_path: Path, share: float) -> None:
    whole = write_xlsx(tmp_path / "whole.xlsx", {"S": ROWS}).read_bytes()
    (tmp_path / "a.xlsx").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SpreadsheetError, match="not whole"):
        read_spreadsheet(tmp_path / "a.xlsx")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"PK\x03\x04", OLE, b"\xff\xfe", b"a,b\n"]),
    suffix=st.sampled_from(sheet_files.SUFFIXES),
)
def test_no_file_content_raises_anything_but_a_spreadsheet_error(
    tmp_path: Path, content: bytes, start: bytes, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(start + content)
    try:
        read_spreadsheet(path)
    except SpreadsheetError as error:
        assert error.fix


@pytest.mark.parametrize("name", ["far.xlsb", "far.ods"])
def test_cells_far_apart_do_not_fill_the_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("xlsb"):
        write_xlsb(path, [["http://photos.example/1.jpg", *[None] * 16_000, "far"], *[["x"]] * 5000], first_row=9000)
    else:
        book = OpenDocumentSpreadsheet()
        table = Table(name="Sheet")
        line = TableRow(numberrowsrepeated=1_000_000)
        for text in ("http://photos.example/1.jpg", "far"):
            cell = TableCell(valuetype="string", numbercolumnsrepeated=8_000)
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
        book.spreadsheet.addElement(table)
        book.save(str(path))
    with pytest.raises(SpreadsheetError, match="stray cells"):
        read_spreadsheet(path)


def test_empty_cells_to_the_edge_of_an_ods_sheet_are_no_extent(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    table = Table(name="Sheet")
    for text in ("Photo", "http://photos.example/1.jpg"):
        line = TableRow()
        cell = TableCell(valuetype="string")
        cell.addElement(P(text=text))
        line.addElement(cell)
        line.addElement(TableCell(numbercolumnsrepeated=16_383))
        table.addElement(line)
    rest = TableRow(numberrowsrepeated=1_048_574)
    rest.addElement(TableCell(numbercolumnsrepeated=16_384))
    table.addElement(rest)
    book.spreadsheet.addElement(table)
    book.save(str(tmp_path / "a.ods"))
    assert [row.image_url for row in read_spreadsheet(tmp_path / "a.ods").rows] == ["http://photos.example/1.jpg"]
