"""CSV files whose texts no spreadsheet program runs as a formula, and how such a text is read back.

A text that begins with `= + - @`, one of their full-width forms, a tab, a line break or a quote `'` gets a quote `'` in
front; reading removes it again. Plain negative numbers stay as they are. (OWASP, CSV injection.) A workbook needs no
such mark, as its cells have a type.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

Cell = str | int | float | None
QUOTE = "'"
_STARTS_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PLAIN_NUMBER = re.compile(r"-\d+(\.\d+)?")


def safe_cell(text: str) -> str:
    """Return `text` marked so that every spreadsheet program takes it for text."""
    if text.startswith((*_STARTS_FORMULA, QUOTE)) and not _PLAIN_NUMBER.fullmatch(text):
        return QUOTE + text
    return text


def unsafe_cell(text: str) -> str:
    """Return the text that `safe_cell` was given."""
    return text[1:] if text.startswith(QUOTE) else text


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
    writer.writerow([safe_cell(name) for name in header])
    writer.writerows([_csv_cell(cell, place) for cell, place in zip(row, places, strict=True)] for row in table)
    return buffer.getvalue().encode("utf-8-sig", errors="replace")


def _csv_cell(cell: Cell, decimals: int | None) -> str:
    if isinstance(cell, str):
        return safe_cell(cell)
    if cell is None:
        return ""
    return str(cell) if decimals is None else f"{cell:.{decimals}f}"
