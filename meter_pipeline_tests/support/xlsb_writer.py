"""The smallest xlsb workbook that holds a table: no library at hand writes the format ([MS-XLSB])."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SHEET_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
Area = tuple[int, int, int, int]
"""First row, last row, first column, last column, from 0."""


@dataclass(frozen=True)
class Raw:
    """A cell as its record: the type, and the content behind column and style."""

    kind: int
    content: bytes
    style: int = 0


Value = str | float | Raw | None


def error_cell(code: int) -> Raw:
    """Return a cell that holds an error value."""
    return Raw(3, bytes([code]))


def styled(number: float, style: int) -> Raw:
    """Return a number in one of the workbook's formats, the first of which is number 1."""
    return Raw(5, struct.pack("<d", number), style)


def formula_cell(result: str, tokens: bytes, extra: bytes = b"") -> Raw:
    """Return a formula of parsed tokens with a text as its stored result."""
    return Raw(8, _text(result) + struct.pack("<HI", 0, len(tokens)) + tokens + struct.pack("<I", len(extra)) + extra)


def shared_formula(area: Area, tokens: bytes) -> bytes:
    """Return the record of a formula that the cells of an area share."""
    return _record(427, struct.pack("<IIIII", *area, len(tokens)) + tokens + struct.pack("<I", 0))


def text_token(text: str) -> bytes:
    """Return the token of a constant text."""
    return b"\x17" + struct.pack("<H", len(text)) + text.encode("utf-16-le")


def write_xlsb(
    path: Path,
    rows: Sequence[Sequence[Value]],
    first_row: int = 0,
    *,
    links: Mapping[Area, str] | None = None,
    merged: Sequence[Area] = (),
    formats: Sequence[str] = (),
    after_rows: Mapping[int, bytes] | None = None,
) -> Path:
    """Write texts, numbers and raw cells.

    Args:
        path: of the file.
        rows: of cells.
        first_row: index of the first row in the sheet.
        links: addresses by the cells they stand behind.
        merged: areas merged into one cell.
        formats: number formats.
        after_rows: more records, by the index of the row they follow.
    """
    book = _record(131) + _record(143) + _record(156, struct.pack("<II", 0, 1) + _text("rId1") + _text("Sheet"))
    book += _record(144) + _record(132)
    last, width = first_row + len(rows) - 1, max(map(len, rows))
    records = [_record(129), _record(148, struct.pack("<IIII", first_row, last, 0, width - 1)), _record(145)]
    for number, row in enumerate(rows, first_row):
        records.append(_record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0, 0, 0)))
        for column, value in enumerate(row):
            place = struct.pack("<II", column, 0)
            if isinstance(value, Raw):
                records.append(_record(value.kind, struct.pack("<II", column, value.style) + value.content))
            elif isinstance(value, str):
                records.append(_record(6, place + _text(value)))
            elif value is not None:
                records.append(_record(5, place + struct.pack("<d", value)))
        records.append((after_rows or {}).get(number, b""))
    records.append(_record(146))
    records += [_record(177, struct.pack("<I", len(merged)))] if merged else []
    records += [_record(176, struct.pack("<IIII", *area)) for area in merged]
    places = list((links or {}).items())
    records += [
        _record(494, struct.pack("<IIII", *area) + _text(f"link{number}") + _text("") * 3)
        for number, (area, _) in enumerate(places)
    ]
    records.append(_record(130))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            f'{_RELATIONS}<Relationship Id="rId1" Target="worksheets/sheet1.bin" Type="{_SHEET_TYPE}/worksheet"/>'
            f'<Relationship Id="rId2" Target="styles.bin" Type="{_SHEET_TYPE}/styles"/></Relationships>',
        )
        archive.writestr("xl/worksheets/sheet1.bin", b"".join(records))
        archive.writestr(
            "xl/worksheets/_rels/sheet1.bin.rels",
            _RELATIONS
            + "".join(
                f'<Relationship Id="link{number}" Type="{_SHEET_TYPE}/hyperlink" Target="{target}"'
                ' TargetMode="External"/>'
                for number, (_, target) in enumerate(places)
            )
            + "</Relationships>",
        )
        archive.writestr("xl/styles.bin", _styles(formats))
    return path


def _styles(formats: Sequence[str]) -> bytes:
    records = [_record(278), _record(615, struct.pack("<I", len(formats)))]
    records += [_record(44, struct.pack("<H", 164 + place) + _text(code)) for place, code in enumerate(formats)]
    records += [_record(616), _record(617, struct.pack("<I", len(formats) + 1))]
    records += [
        _record(47, struct.pack("<HHHHHBBHH", 0, number, 0, 0, 0, 0, 0, 0, 0)[:16])
        for number in (0, *range(164, 164 + len(formats)))
    ]
    return b"".join([*records, _record(618), _record(279)])


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
