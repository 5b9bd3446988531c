"""From a table to the bytes of an XLSX workbook: text stays text, header frozen, the same bytes for the same rows."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.writer.excel import ExcelWriter

from meter_pipeline.storage.csv_cells import Cell

MAX_ROWS = 1_048_575
"""Rows of one sheet below the header; further ones go to the next sheet."""
MAX_COLUMNS = 16_384
"""Most columns of a sheet; where there are more, the last one says how many are left out (never in the CSV)."""
MAX_CELL_CHARACTERS = 32_767
"""Most UTF-16 characters of a cell; a longer text is cut here, and says so (never in the CSV)."""
CUT = " [cut: the CSV has the whole text]"
NUMBER_FORMATS = {
    "top1_confidence": "0.00",
    "top2_confidence": "0.00",
    "top3_confidence": "0.00",
    "calibrated_confidence": "0.00",
    "brightness": "0.00",
    "contrast": "0.00",
    "green_ratio": "0.0000",
}
SAMPLED_ROWS = 200
MIN_WIDTH, MAX_WIDTH = 8, 60
"""Characters."""
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_HALF_ESCAPED = re.compile("_(?:x[0-9A-F]{0,4})?$")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def workbook_bytes(header: Sequence[str], rows: Sequence[Sequence[Cell]], *, sheet_name: str = "predictions") -> bytes:
    """Return a workbook; every string is stored as text, whatever it begins with.

    What Excel cannot hold is divided or cut, and the workbook says so: further rows are on further sheets.
    """
    book = Workbook(write_only=True)
    if len(header) > MAX_COLUMNS:
        left_out = len(header) - MAX_COLUMNS + 1
        header = [*header[: MAX_COLUMNS - 1], f"{left_out:,} further columns are in the CSV"]
        rows = [[*row[: MAX_COLUMNS - 1], None] for row in rows]
    for number, start in enumerate(range(0, max(len(rows), 1), MAX_ROWS), 1):
        part = rows[start : start + MAX_ROWS]
        sheet = book.create_sheet(sheet_name if number == 1 else f"{sheet_name} {number}")
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{len(part) + 1}"
        for index, width in enumerate(_widths(header, rows), 1):
            sheet.column_dimensions[get_column_letter(index)].width = width
        sheet.append(_text(sheet, name, bold=True) for name in header)
        formats = [NUMBER_FORMATS.get(name) for name in header]
        for row in part:
            sheet.append(_cells(sheet, row, formats))
    buffer = io.BytesIO()
    with _TimelessArchive(buffer, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        ExcelWriter(book, archive).save()
    return buffer.getvalue()


def _cells(sheet: WriteOnlyWorksheet, row: Sequence[Cell], formats: Sequence[str | None]) -> Iterator[object]:
    for value, number_format in zip(row, formats, strict=True):
        if isinstance(value, str):
            yield _text(sheet, value)
        elif number_format is not None and value is not None:
            cell = WriteOnlyCell(sheet, value)
            cell.number_format = number_format
            yield cell
        else:
            yield value


def _text(sheet: WriteOnlyWorksheet, text: str, *, bold: bool = False) -> object:
    text = _NOT_IN_XML.sub(lambda match: f"_x{ord(match.group()):04X}_", text)
    if len(text) > MAX_CELL_CHARACTERS // 2:
        text = _shortened(text)
    if not bold and not text.startswith(("=", "#")):
        return text  # openpyxl takes only texts that begin so for something other than text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _shortened(text: str) -> str:
    """Return a text of a length that Excel takes, which it counts in UTF-16; no escaped character is cut in half."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_CELL_CHARACTERS:
        return text
    kept = units[: 2 * (MAX_CELL_CHARACTERS - len(CUT))].decode("utf-16-le", errors="ignore")
    return _HALF_ESCAPED.sub("", kept) + CUT


def _widths(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[int]:
    for index, name in enumerate(header):
        longest = max((len(str(row[index])) for row in rows[:SAMPLED_ROWS] if row[index] is not None), default=0)
        yield min(max(longest, len(name) + 3, MIN_WIDTH), MAX_WIDTH) + 1


class _TimelessArchive(zipfile.ZipFile):
    """Writes the same bytes for the same content: no time of day in the archive, none in the workbook's properties."""

    def writestr(self, name: object, data: object, *_: object, **__: object) -> None:  # type: ignore[override]
        content = data.encode("utf-8") if isinstance(data, str) else bytes(data)  # type: ignore[call-overload]
        content = _TIMES.sub(rb"\g<1>1980-01-01T00:00:00Z", content) if name == "docProps/core.xml" else content
        info = zipfile.ZipInfo(str(name), _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        super().writestr(info, content)

    def write(self, filename: object, arcname: object = None, *_: object, **__: object) -> None:
        info = zipfile.ZipInfo(str(arcname), _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        with open(str(filename), "rb") as source, self.open(info, "w", force_zip64=True) as target:  # noqa: PTH123
            while chunk := source.read(1 << 20):
                target.write(chunk)
