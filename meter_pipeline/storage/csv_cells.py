r"""CSV files whose texts no spreadsheet program runs as a formula, and how such a text is read back.

A text that begins with `= + - @`, one of their forms of other widths, a tab, a line break or a quote `'` gets a quote
`'` in front; reading removes it again. Plain negative numbers stay as they are. (OWASP, CSV injection.) A workbook
needs no such mark, as its cells have a type.

Where the list separator of a computer is `;` (most of Europe), a tab or `|`, Excel splits the lines of this file there,
and double quotes do not help: a field in quotes that begins behind our comma is for that program in the middle of its
own, so that separators and line breaks in it count. Whatever follows `;`, tab, `|` or a line break inside a text is
therefore marked like the beginning of a text: `x;=1+1` becomes `x;'=1+1`. Commas need no mark: who splits at commas
sees our quotes. Blanks and double quotes before a sign count as nothing, as programs trim them or take them for quotes
of theirs. Two more beginnings are marked: `sep=`, with which a first line tells Excel the separator, and a negative
number at the beginning of a line before a text that could make a formula of it (`-5,1+cmd|...`).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence

Cell = str | int | float | None
QUOTE = "'"
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
_SKIPPED = r"[^\S\t\r\n]|[\"\0\ufeff\u200b]"
_RUNS = rf"(?:{_SKIPPED})*[{_SIGNS}]"
_BEGINNING = re.compile(rf"{_RUNS}|[\t\r\n']|(?:{_SKIPPED})*sep=", re.IGNORECASE)
_INSIDE = re.compile(rf"([;|\t\r\n])(?={_RUNS}|')")
_MARKED_INSIDE = re.compile(rf"([;|\t\r\n])'(?={_RUNS}|')")
_SEPARATORS = (";", "|", "\t", "\r", "\n")
_PLAIN_NUMBER = re.compile(r"-\d+(\.\d+)?")
ROWS_AT_A_TIME, CELLS_REMEMBERED = 1_000, 20_000
"""Rows made safe at a time, and cells of a column of which is kept what is written."""
_MAKES_FORMULA = re.compile(r"[(!|]")


def safe_cell(text: str) -> str:
    """Return `text` marked so that every spreadsheet program takes it for text, whatever its separator is."""
    for separator in _SEPARATORS:
        if separator in text:
            text = _INSIDE.sub(r"\1'", text)
            break
    else:
        if _PLAIN_NUMBER.fullmatch(text):
            return text
    return QUOTE + text if _BEGINNING.match(text) else text


def unsafe_cell(text: str) -> str:
    """Return the text that `safe_cell` was given."""
    if QUOTE not in text:
        return text
    return _MARKED_INSIDE.sub(r"\1", text.removeprefix(QUOTE))


def csv_bytes(
    header: Sequence[str], table: Sequence[Sequence[Cell]], *, decimals: Mapping[str, int] | None = None
) -> bytes:
    """Return a CSV in UTF-8 with the byte order mark that Excel needs; no text of it is run as a formula.

    Args:
        header: names of the columns.
        table: the rows.
        decimals: decimals of a column's numbers, by its name; numbers of other columns are written as they are.
    """
    writers = [_column_writer((decimals or {}).get(name)) for name in header]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_line([safe_cell(name) for name in header]))
    for first in range(0, len(table), ROWS_AT_A_TIME):
        columns = zip(*table[first : first + ROWS_AT_A_TIME], strict=True)
        cells = [write(column) for write, column in zip(writers, columns, strict=True)]
        writer.writerows(map(_line, zip(*cells, strict=True)))
    return buffer.getvalue().encode("utf-8-sig", errors="replace")


def _line(cells: Sequence[str]) -> Sequence[str]:
    if cells and cells[0].startswith("-") and any(_MAKES_FORMULA.search(cell) for cell in cells[1:]):
        return [QUOTE + cells[0], *cells[1:]]
    return cells


def _column_writer(decimals: int | None) -> Callable[[Sequence[Cell]], list[str]]:
    """Return what makes texts of the cells of a column; most columns hold few different ones."""
    form = "" if decimals is None else f".{decimals}f"
    return each_once(safe_cell, lambda number: format(number, form))


def each_once(
    of_text: Callable[[str], str], of_number: Callable[[float], str]
) -> Callable[[Sequence[Cell]], list[str]]:
    """Return what writes the cells of a column, some at a time, and computes once what is written of those alike.

    Of an empty cell nothing is written.

    Args:
        of_text: what is written of a text.
        of_number: what is written of a number.
    """
    known_by_type: dict[type, dict[Cell, str]] = {}

    def write_one(cell: Cell) -> str:
        if cell is None:
            return ""
        return of_text(cell) if isinstance(cell, str) else of_number(cell)

    def write(cells: Sequence[Cell]) -> list[str]:
        different = set(cells)
        types = set(map(type, cells)) - {type(None)}  # of all: 1 and 1.0 are alike
        if len(types) > 1 or (0.0 in different and any(map(_is_minus_zero, cells))):
            return [write_one(cell) for cell in cells]
        known = known_by_type.setdefault(types.pop() if types else str, {None: ""})
        if len(known) > CELLS_REMEMBERED:
            known.clear()
        for cell in different.difference(known):
            known[cell] = write_one(cell)
        return [known[cell] for cell in cells]

    return write


def _is_minus_zero(cell: Cell) -> bool:
    return isinstance(cell, float) and cell == 0 and math.copysign(1, cell) < 0
