"""Writes the two sample workbooks, laid out as people lay them out, with the same bytes every time."""

from __future__ import annotations

import datetime
import io
import random
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from meter_pipeline.storage.files import write_bytes

NORTH_WORKBOOK = "north_readings.xlsx"
EAST_WORKBOOK = "east_inspection.xlsx"

_SUB_DIVISIONS = ("Kalyan", "Rampur East", "Old Town", "Lake Road", "Station Area")
_FIRST_DAY = datetime.date(2024, 5, 2)
_ZIP_TIME = (2024, 5, 2, 0, 0, 0)
_CORE_TIME = "2024-05-02T00:00:00Z"


def write_north_workbook(path: Path, links: Sequence[str], rng: random.Random) -> None:
    """Write a workbook with the header in row 1 and account numbers with leading zeros.

    Args:
        path: the file; replaced whole.
        links: cells of the URL column, one per row.
        rng: draws the other columns.
    """
    book = Workbook()
    sheet = _only_sheet(book, "Readings")
    _header(sheet, ("Consumer Account No", "Sub-Division", "Reading Date", "Meter Image URL", "Reading kWh"))
    for link in links:
        account = f"{rng.randrange(10**9):012d}"
        day = _FIRST_DAY + datetime.timedelta(days=rng.randrange(28))
        sheet.append((account, rng.choice(_SUB_DIVISIONS), day, link, rng.randrange(100, 90_000)))
    _save(book, path)


def write_east_workbook(path: Path, links: Sequence[str], rng: random.Random) -> None:
    """Write a workbook with a title and an empty row above the header, and a second sheet without URLs.

    Args:
        path: the file; replaced whole.
        links: cells of the URL column, one per row.
        rng: draws the other columns.
    """
    book = Workbook()
    sheet = _only_sheet(book, "Inspection")
    sheet.append(("East circle: meter inspection, June 2024",))
    sheet["A1"].font = Font(bold=True, size=14)
    sheet.append(())
    _header(sheet, ("S.No.", "Photo link", "Account ID", "Division", "Inspected on", "Remarks"))
    for number, link in enumerate(links, start=1):
        account = f"0{rng.randrange(10**8):08d}"
        day = _FIRST_DAY + datetime.timedelta(days=31 + rng.randrange(28))
        remark = rng.choice((None, None, None, "seal broken", "display off", "house locked"))
        sheet.append((number, link, account, rng.choice(_SUB_DIVISIONS), day, remark))
    notes = book.create_sheet("Notes")
    notes.append(("Photos by the field team. Accounts as in the billing system, with leading zeros.",))
    _save(book, path)


def _only_sheet(book: Workbook, title: str) -> Worksheet:
    sheet = book.worksheets[0]
    sheet.title = title
    return sheet


def _header(sheet: Worksheet, names: Sequence[str]) -> None:
    sheet.append(names)
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True)
    for column, name in zip("ABCDEFGH", names, strict=False):
        sheet.column_dimensions[column].width = 60 if "URL" in name or "link" in name else 18


def _save(book: Workbook, path: Path) -> None:
    """Save with fixed times: openpyxl writes the present one, and a drop's version is the hash of its bytes."""
    buffer, fixed = io.BytesIO(), io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in parts.namelist():
            content = parts.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", _CORE_TIME.encode(), content)
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            copy.writestr(entry, content)
    write_bytes(path, fixed.getvalue())
