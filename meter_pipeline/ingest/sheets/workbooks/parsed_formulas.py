"""Formulas of binary workbooks, kept there as parsed expressions, written out again: `HYPERLINK("http://a/"&A2,"open")`.

The tokens are those of [MS-XLS] 2.5.198 and [MS-XLSB] 2.5.97. Only formulas that may make a link are of interest; those
with anything that is not listed here are left out.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from meter_pipeline.ingest.sheets.workbooks.formulas import MAX_CHARACTERS
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_letters

Version = Literal[5, 8, 12]
"""BIFF5 (Excel 95), BIFF8 (Excel 97 to 2003), BIFF12 (xlsb)."""
HYPERLINK, USER_DEFINED = 359, 255
_MAX_TOKENS = 4_000
_NAMES = {
    1: "IF", 2: "ISNA", 3: "ISERROR", 8: "ROW", 9: "COLUMN", 25: "INT", 27: "ROUND", 29: "INDEX", 30: "REPT", 31: "MID",
    32: "LEN", 33: "VALUE", 36: "AND", 37: "OR", 38: "NOT", 48: "TEXT", 64: "MATCH", 82: "SEARCH", 102: "VLOOKUP",
    111: "CHAR", 112: "LOWER", 113: "UPPER", 114: "PROPER", 115: "LEFT", 116: "RIGHT", 117: "EXACT", 118: "TRIM",
    119: "REPLACE", 120: "SUBSTITUTE", 124: "FIND", 128: "ISNUMBER", 127: "ISTEXT", 129: "ISBLANK", 130: "T", 131: "N",
    162: "CLEAN", 336: "CONCATENATE", HYPERLINK: "HYPERLINK", 480: "IFERROR",
}  # fmt: skip
_FIXED_ARGUMENTS = {
    2: 1, 3: 1, 25: 1, 27: 2, 30: 2, 31: 3, 32: 1, 33: 1, 38: 1, 48: 2, 111: 1, 112: 1, 113: 1, 114: 1, 117: 2, 118: 1,
    119: 4, 128: 1, 127: 1, 129: 1, 130: 1, 131: 1, 162: 1,
}  # fmt: skip
_BINARY = dict(enumerate(["+", "-", "*", "/", "^", "&", "<", "<=", "=", ">=", ">", "<>"], 0x03))
_UNION, _RANGE, _PLUS, _MINUS, _PERCENT, _PAREN, _MISSING, _TEXT = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
_ATTRIBUTE, _ERROR, _BOOLEAN, _INTEGER, _NUMBER = 0x19, 0x1C, 0x1D, 0x1E, 0x1F
_FUNCTION, _VARIADIC, _NAME, _CELL, _AREA, _CELL_NEAR, _AREA_NEAR = 0x21, 0x22, 0x23, 0x24, 0x25, 0x2C, 0x2D
_NAME_ELSEWHERE, _CELL_ELSEWHERE, _AREA_ELSEWHERE = 0x39, 0x3A, 0x3B
_NAME_BYTES: Mapping[Version, int] = {5: 14, 8: 4, 12: 4}


@dataclass(frozen=True)
class Book:
    """What formulas of a workbook refer to.

    Attributes:
        version: of the format.
        names: defined names, the first is number 1.
        sheets: name of the sheet that a reference to another one means, by its number.
        codepage: encoding of texts in BIFF5.
    """

    version: Version
    names: Sequence[str] = ()
    sheets: Mapping[int, str] = field(default_factory=dict)
    codepage: str = "cp1252"

    @functools.cached_property
    def has_pictures(self) -> bool:
        """Whether a function of a name that the book defines shows pictures."""
        return any("IMAGE" in name.upper() for name in self.names)


def may_link(tokens: bytes, book: Book) -> bool:
    """Return whether an expression may have a link or a picture, by a glance."""
    return b"\x67\x01" in tokens or (b"\xff\x00" in tokens and book.has_pictures)


def shared_at(tokens: bytes) -> bool:
    """Return whether a cell only points to the expression that it shares with others."""
    return tokens[:1] == b"\x01"


def formula_text(tokens: bytes, book: Book, row: int, column: int) -> str | None:
    """Return an expression as text; None if it holds what is not read here, or is damaged.

    Args:
        tokens: the parsed expression.
        book: what it refers to.
        row: index of the row of the cell that references near it count from.
        column: index of its column.
    """
    try:
        return _Writer(tokens, book, row, column).text()
    except (struct.error, IndexError, UnicodeDecodeError, LookupError, _NotReadError):
        return None


class _NotReadError(Exception):
    """A token that is not read."""


class _Writer:
    def __init__(self, tokens: bytes, book: Book, row: int, column: int) -> None:
        self._tokens, self._book, self._row, self._column = tokens, book, row, column
        self._at = 0
        self._stack: list[str] = []

    def text(self) -> str:
        for _ in range(_MAX_TOKENS):
            if self._at >= len(self._tokens):
                break
            self._token()
            if len(self._stack[-1]) > MAX_CHARACTERS if self._stack else False:
                raise _NotReadError
        if self._at < len(self._tokens) or len(self._stack) != 1:
            raise _NotReadError
        return self._stack[0]

    def _read(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self._tokens, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return values

    def _pop(self, count: int) -> list[str]:
        if count > len(self._stack):
            raise _NotReadError
        taken = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return taken

    def _token(self) -> None:
        (kind,) = self._read("B")
        # References and functions have a class in two bits: as a reference, a value or an array.
        base = kind if kind < 0x20 else kind & 0x1F | 0x20
        if base in _BINARY:
            left, right = self._pop(2)
            self._stack.append(f"{left}{_BINARY[base]}{right}")
        elif base in {_PLUS, _MINUS, _PERCENT, _PAREN}:
            (inner,) = self._pop(1)
            self._stack.append({_PLUS: f"+{inner}", _MINUS: f"-{inner}", _PERCENT: f"{inner}%"}.get(base, f"({inner})"))
        elif base in {_UNION, _RANGE}:
            left, right = self._pop(2)
            self._stack.append(f"{left}{',' if base == _UNION else ':'}{right}")
        elif base == _ATTRIBUTE:
            self._attribute()
        elif base in {_FUNCTION, _VARIADIC}:
            self._function(base)
        else:
            self._stack.append(self._operand(base))

    def _attribute(self) -> None:
        flags, data = self._read("BH")
        if flags & 0x04:  # the jumps of CHOOSE
            self._at += 2 * (data + 1)
        elif flags & 0x10:
            (inner,) = self._pop(1)
            self._stack.append(f"SUM({inner})")

    def _function(self, base: int) -> None:
        if base == _VARIADIC:
            count, number = self._read("BH")
            count, number = count & 0x7F, number & 0x7FFF
        else:
            (number,) = self._read("H")
            count = _FIXED_ARGUMENTS.get(number, -1)
        if number == USER_DEFINED and count > 0:
            name, *arguments = self._pop(count)
        elif number in _NAMES and count >= 0:
            name, arguments = _NAMES[number], self._pop(count)
        else:
            raise _NotReadError
        self._stack.append(f"{name}({','.join(arguments)})")

    def _operand(self, base: int) -> str:
        if base == _TEXT:
            return '"' + self._text().replace('"', '""') + '"'
        if base == _INTEGER:
            return str(self._read("H")[0])
        if base == _NUMBER:
            number: float = self._read("d")[0]
            return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
        if base == _BOOLEAN:
            return "TRUE" if self._read("B")[0] else "FALSE"
        if base == _MISSING:
            return ""
        if base == _NAME:
            (number,) = self._read("H" if self._book.version < 12 else "I")
            self._at += _NAME_BYTES[self._book.version] - (2 if self._book.version < 12 else 4)
            return self._named(number)
        if base == _NAME_ELSEWHERE and self._book.version == 8:
            _, number, _ = self._read("HHH")
            return self._named(number)
        if base == _NAME_ELSEWHERE and self._book.version == 12:
            _, number = self._read("HI")
            return self._named(number)
        return self._reference(base)

    def _text(self) -> str:
        if self._book.version == 12:
            (length,) = self._read("H")
            return self._taken(2 * length).decode("utf-16-le")
        (length,) = self._read("B")
        if self._book.version == 5:
            return self._taken(length).decode(self._book.codepage)
        (flags,) = self._read("B")
        return self._taken(2 * length).decode("utf-16-le") if flags & 1 else self._taken(length).decode("latin-1")

    def _taken(self, size: int) -> bytes:
        piece = self._tokens[self._at : self._at + size]
        if len(piece) < size:
            raise _NotReadError
        self._at += size
        return piece

    def _named(self, number: int) -> str:
        if not 1 <= number <= len(self._book.names):
            raise _NotReadError
        return self._book.names[number - 1]

    def _reference(self, base: int) -> str:
        sheet = ""
        if base in {_CELL_ELSEWHERE, _AREA_ELSEWHERE} and self._book.version >= 8:
            (number,) = self._read("H")
            if number not in self._book.sheets:
                raise _NotReadError
            sheet = "'" + self._book.sheets[number].replace("'", "''") + "'!"
        near = base in {_CELL_NEAR, _AREA_NEAR}
        if base in {_CELL, _CELL_NEAR, _CELL_ELSEWHERE}:
            row, column = self._read({5: "HB", 8: "HH", 12: "IH"}[self._book.version])
            return sheet + self._cell(row, column, near=near)
        if base in {_AREA, _AREA_NEAR, _AREA_ELSEWHERE}:
            first, last, left, right = self._read({5: "HHBB", 8: "HHHH", 12: "IIHH"}[self._book.version])
            return f"{sheet}{self._cell(first, left, near=near)}:{self._cell(last, right, near=near)}"
        raise _NotReadError

    def _cell(self, row: int, column: int, *, near: bool) -> str:
        if self._book.version == 5:
            relative_row, relative_column = bool(row & 0x8000), bool(row & 0x4000)
            row &= 0x3FFF
            rows, columns = 0x4000, 0x100
        else:
            relative_row, relative_column = bool(column & 0x8000), bool(column & 0x4000)
            column &= 0x3FFF
            rows, columns = (0x10000, 0x100) if self._book.version == 8 else (0x100000, 0x4000)
            if self._book.version == 8:
                column &= 0xFF
        if near:
            row = (row + self._row) % rows if relative_row else row
            column = (column + self._column) % columns if relative_column else column
        return f"{'' if relative_column else '$'}{column_letters(column)}{'' if relative_row else '$'}{row + 1}"
