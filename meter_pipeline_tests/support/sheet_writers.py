"""Workbooks and text tables of every kind, written for the tests of the readers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

Rows = Sequence[Sequence[Any]]


def write_xlsx(path: Path, sheets: dict[str, Rows], hidden: Sequence[str] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                cell = sheet.cell(number, column, value)
                if isinstance(value, str):
                    cell.data_type = "s"
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


def write_xls(path: Path, rows: Rows) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    date = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value, *([date] if isinstance(value, dt.date) else []))
    book.save(str(path))
    return path


def write_ods(path: Path, rows: Rows) -> Path:
    book = OpenDocumentSpreadsheet()
    table = Table(name="Sheet")
    for row in rows:
        line = TableRow()
        for value in row:
            kind: dict[str, str] = {}
            if isinstance(value, dt.date):
                kind = {"valuetype": "date", "datevalue": value.isoformat()}
            elif isinstance(value, (int, float)):
                kind = {"valuetype": "float", "value": repr(value)}
            elif value is not None:
                kind = {"valuetype": "string"}
            cell = TableCell(**kind)
            if value is not None:
                cell.addElement(P(text=str(value)))
            line.addElement(cell)
        table.addElement(line)
    book.spreadsheet.addElement(table)
    book.save(str(path))
    return path


def as_text(rows: Rows, delimiter: str) -> str:
    def cell(value: Any) -> str:
        return "" if value is None else format(value, ".15g") if isinstance(value, float) else str(value)

    return "".join(delimiter.join(map(cell, row)) + "\r\n" for row in rows)
