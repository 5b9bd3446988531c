"""From a table to the bytes of an XLSX workbook: text stays text, header frozen, the same bytes for the same rows.

openpyxl makes the workbook and the headers of its sheets. The rows are written here, as it would write them: through
its cells a row takes twenty times as long.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.writer.excel import ExcelWriter

from meter_pipeline.storage.csv_cells import ROWS_AT_A_TIME, Cell, each_once

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
_END_OF_ROWS = b"</sheetData>"
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def workbook_bytes(header: Sequence[str], rows: Sequence[Sequence[Cell]], *, sheet_name: str = "predictions") -> bytes:
    """Return a workbook; every string is stored as text, whatever it begins with.

    What Excel cannot hold is divided or cut, and the workbook says so: further rows are on further sheets.
    """
    book, contents = Workbook(write_only=True), dict[str, _Rows]()
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
        sheet.append(_header_cell(sheet, name) for name in header)
        formats = {name: _style(sheet, NUMBER_FORMATS[name]) for name in header if name in NUMBER_FORMATS}
        contents[f"xl/worksheets/sheet{number}.xml"] = _Rows(part, [formats.get(name) for name in header])
    buffer = io.BytesIO()
    with _TimelessArchive(buffer, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        archive.rows = contents
        ExcelWriter(book, archive).save()
    return buffer.getvalue()


class _Rows:
    """The rows of a sheet below its header, as XML.

    Args:
        rows: the rows.
        styles: the id of the style of each column's numbers; None: they have none.
    """

    def __init__(self, rows: Sequence[Sequence[Cell]], styles: Sequence[int | None]) -> None:
        self._rows = rows
        self._columns = [_column_writer(style) for style in styles]
        self._starts = [f'<c r="{get_column_letter(index)}' for index in range(1, len(styles) + 1)]

    def xml(self) -> Iterator[bytes]:
        """Yield the rows in pieces."""
        number = 1
        for first in range(0, len(self._rows), ROWS_AT_A_TIME):
            columns = zip(*self._rows[first : first + ROWS_AT_A_TIME], strict=True)
            ends = [write(column) for write, column in zip(self._columns, columns, strict=True)]
            lines = []
            for row in zip(*ends, strict=True):
                number += 1
                place = str(number)
                cells = [start + place + end for start, end in zip(self._starts, row, strict=True) if end]
                lines.append(f'<row r="{place}">{"".join(cells)}</row>')
            yield "".join(lines).encode()


def _column_writer(style: int | None) -> Callable[[Sequence[Cell]], list[str]]:
    """Return what writes the cells of a column: all of a cell's XML that follows its row; nothing of an empty cell."""
    number = '" t="n">' if style is None else f'" s="{style}" t="n">'
    return each_once(_text_cell, lambda value: f"{number}{_number(value)}</c>")


def _number(value: float) -> str:
    return f"<v>{value:.16g}</v>" if math.isfinite(value) else "<v />"


def _text_cell(text: str) -> str:
    text = _text(text)
    if not text:
        return '" t="inlineStr" />'
    kept = text.strip()
    space = ' xml:space="preserve"' if kept and kept != text else ""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'" t="inlineStr"><is><t{space}>{escaped}</t></is></c>'


def _text(text: str) -> str:
    """Return a text as a cell of a workbook can hold it."""
    text = _NOT_IN_XML.sub(lambda match: f"_x{ord(match.group()):04X}_", text)
    return _shortened(text) if len(text) > MAX_CELL_CHARACTERS // 2 else text


def _header_cell(sheet: WriteOnlyWorksheet, name: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, _text(name))
    cell.data_type = "s"
    cell.font = Font(bold=True)
    return cell


def _style(sheet: WriteOnlyWorksheet, number_format: str) -> int:
    cell = WriteOnlyCell(sheet, 0.0)
    cell.number_format = number_format
    return int(cell.style_id)


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
    """Writes the same bytes for the same content: no time of day in the archive, none in the workbook's properties.

    Attributes:
        rows: what follows the header of each sheet, by the sheet's name in the archive.
    """

    rows: Mapping[str, _Rows]

    def writestr(self, name: object, data: object, *_: object, **__: object) -> None:  # type: ignore[override]
        content = data.encode("utf-8") if isinstance(data, str) else bytes(data)  # type: ignore[call-overload]
        content = _TIMES.sub(rb"\g<1>1980-01-01T00:00:00Z", content) if name == "docProps/core.xml" else content
        info = zipfile.ZipInfo(str(name), _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        super().writestr(info, content)

    def write(self, filename: object, arcname: object = None, *_: object, **__: object) -> None:
        info = zipfile.ZipInfo(str(arcname), _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        sheet = Path(str(filename)).read_bytes()  # the header alone
        before, end, after = sheet.partition(_END_OF_ROWS)
        with self.open(info, "w", force_zip64=True) as target:
            target.write(before)
            for piece in self.rows[str(arcname)].xml():
                target.write(piece)
            target.write(end + after)
