"""The smallest xlsb workbook that holds a table: no library at hand writes the format ([MS-XLSB])."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

_RELATIONS = """<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Target="worksheets/sheet1.bin"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>"""


def write_xlsb(path: Path, rows: Sequence[Sequence[str | float | None]], first_row: int = 0) -> Path:
    """Write texts and numbers; `first_row` is the index of the first row in the sheet."""
    book = _record(131) + _record(143) + _record(156, struct.pack("<II", 0, 1) + _text("rId1") + _text("Sheet"))
    book += _record(144) + _record(132)
    last, width = first_row + len(rows) - 1, max(map(len, rows))
    records = [_record(129), _record(148, struct.pack("<IIII", first_row, last, 0, width - 1)), _record(145)]
    for number, row in enumerate(rows, first_row):
        records.append(_record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0, 0, 0)))
        for column, value in enumerate(row):
            place = struct.pack("<II", column, 0)
            if isinstance(value, str):
                records.append(_record(6, place + _text(value)))
            elif value is not None:
                records.append(_record(5, place + struct.pack("<d", value)))
    records += [_record(146), _record(130)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", _RELATIONS)
        archive.writestr("xl/worksheets/sheet1.bin", b"".join(records))
    return path


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _record(kind: int, content: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = len(content), b""
    while True:
        length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return head + length + content
