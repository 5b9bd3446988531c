"""How large the grid between a sheet's outermost cells is, before a reader lays it out in memory.

A cell far below or to the right of the rest, typed by accident or put there on purpose, makes a grid of billions.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from meter_pipeline.ingest.sheets.workbook_parts import column_number, elements, tag

_XLSX_PART = re.compile(r"xl/worksheets/[^/]+\.xml")
_XLSB_PART = re.compile(r"xl/worksheets/[^/]+\.bin")
_ODS_PART = "content.xml"
_CELL_REFERENCE = re.compile(rb"""\sr=["']([A-Z]{0,3})(\d{1,7})["']""")
_CHUNK_BYTES = 1 << 20
_XLSB_ROW, _XLSB_CELLS = 0, frozenset(range(1, 12))
"""Record types of [MS-XLSB] 2.3: BrtRowHdr, and BrtCellBlank (1) to BrtFmlaError (11), each with its column."""


def largest_extent(archive: zipfile.ZipFile) -> int:
    """Return rows times columns of the workbook's largest sheet, counted from A1; empty cells included.

    Raises:
        ParseError: the XML of an ods sheet is broken.
        DefusedXmlException: it declares entities.
    """
    extents = [0]
    for name in archive.namelist():
        if _XLSX_PART.fullmatch(name):
            extents.append(_xlsx(archive, name))
        elif _XLSB_PART.fullmatch(name):
            extents.append(_xlsb(archive, name))
        elif name == _ODS_PART:
            extents.append(_ods(archive, name))
    return max(extents)


def _xlsx(archive: zipfile.ZipFile, part: str) -> int:
    columns: set[bytes] = set()
    last_row, rest = 0, b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            found = _CELL_REFERENCE.findall(rest + chunk)
            rest = chunk[-32:]
            columns.update({column for column, _ in found})
            last_row = max(last_row, max((int(row) for _, row in found), default=0))
    return last_row * max((column_number(letters.decode("ascii")) for letters in columns), default=0)


def _xlsb(archive: zipfile.ZipFile, part: str) -> int:
    last_row = last_column = 0
    for kind, content in _records(archive.read(part)):
        if kind == _XLSB_ROW and len(content) >= 4:
            last_row = max(last_row, int.from_bytes(content[:4], "little") + 1)
        elif kind in _XLSB_CELLS and len(content) >= 4:
            last_column = max(last_column, int.from_bytes(content[:4], "little") + 1)
    return last_row * last_column


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a binary part: type (one or two bytes), length (up to four), content ([MS-XLSB] 2.1.4)."""
    at = 0
    while at < len(content):
        kind, at = _number(content, at, 2)
        length, at = _number(content, at, 4)
        yield kind, content[at : at + length]
        at += length


def _number(content: bytes, at: int, most_bytes: int) -> tuple[int, int]:
    number = 0
    for place in range(most_bytes):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            break
    return number, at


def _ods(archive: zipfile.ZipFile, part: str) -> int:
    """Rows and cells of ods may be repeated; those at the end are seldom filled, and only filled ones are counted."""
    largest = row = last_row = last_column = 0
    for element in elements(archive, part):
        if tag(element) == "table-row":
            column = filled = 0
            for cell in element:
                column += _repeats(cell, "number-columns-repeated")
                if len(cell) or any(key.endswith("value") for key in cell.attrib):
                    filled = column
            row += _repeats(element, "number-rows-repeated")
            if filled:
                last_row, last_column = row, max(last_column, filled)
        elif tag(element) == "table":
            largest, row = max(largest, last_row * last_column), 0
            last_row = last_column = 0
    return largest


def _repeats(element: Element, name: str) -> int:
    value = next((v for key, v in element.attrib.items() if key.endswith(f"}}{name}")), "1")
    return int(value) if value.isdecimal() else 1
