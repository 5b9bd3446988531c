"""How large the grid between the outermost filled cells of an xlsb sheet is, before a reader lays it out in memory.

A cell far below or to the right of the rest, typed by accident or put there on purpose, makes a grid of billions.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import content_of

_PART = re.compile(r"xl/worksheets/[^/]+\.bin", re.IGNORECASE)
_ROW, _FILLED_CELLS = 0, frozenset(range(2, 12))
"""Record types of [MS-XLSB] 2.3: BrtRowHdr, and BrtCellRk (2) to BrtFmlaError (11), each with its column."""


def largest_extent(archive: zipfile.ZipFile) -> int:
    """Return rows times columns of the largest sheet, counted from A1; blank formatted cells do not count."""
    return max((_extent(content_of(archive, name)) for name in archive.namelist() if _PART.fullmatch(name)), default=0)


def _extent(content: bytes) -> int:
    row = last_row = last_column = 0
    for kind, record in _records(content):
        if kind == _ROW and len(record) >= 4:
            row = int.from_bytes(record[:4], "little") + 1
        elif kind in _FILLED_CELLS and len(record) >= 4:
            last_row, last_column = max(last_row, row), max(last_column, int.from_bytes(record[:4], "little") + 1)
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
