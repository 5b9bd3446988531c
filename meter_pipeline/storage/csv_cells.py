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
import re
from collections.abc import Mapping, Sequence

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
    places = [(decimals or {}).get(name) for name in header]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_line([safe_cell(name) for name in header]))
    writer.writerows(_line([_csv_cell(cell, place) for cell, place in zip(row, places, strict=True)]) for row in table)
    return buffer.getvalue().encode("utf-8-sig", errors="replace")


def _line(cells: list[str]) -> list[str]:
    if cells and cells[0].startswith("-") and any(_MAKES_FORMULA.search(cell) for cell in cells[1:]):
        return [QUOTE + cells[0], *cells[1:]]
    return cells


def _csv_cell(cell: Cell, decimals: int | None) -> str:
    if isinstance(cell, str):
        return safe_cell(cell)
    if cell is None:
        return ""
    return str(cell) if decimals is None else f"{cell:.{decimals}f}"
