"""Cells far apart: refused before the grid between them is laid out in memory; empty ones do not count."""

from __future__ import annotations

from pathlib import Path

import pytest
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline_tests.support.xlsb_writer import write_xlsb


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
