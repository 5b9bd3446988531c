"""From a CSV or TSV file's bytes to rows of text; encoding and delimiter are detected."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.text.drawn_tables import without_rules
from meter_pipeline.ingest.sheets.text.encodings import decoded

DELIMITERS = (",", ";", "\t", "|")
_RARE_DELIMITERS = ("^", "~", "¦", "\x1f", "\x01")
"""Taken only where none of the others cuts the rows and one of these cuts nearly all of them alike."""
_RARE_DELIMITER_SHARE = 0.95
SAMPLED_ROWS = 200
_SAMPLED_CHARACTERS = 2_000_000
MAX_FIELD_CHARACTERS = 1_000_000
"""A longer field means an unclosed quote, or that the text is not a table."""
_MAX_QUOTED_LINES = 100
"""A quote that is not closed within so many lines is an inch sign."""
_CONTROL_SHARE = 0.02
_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|[^"\r\n])"?[ \t,;]*(?:\r\n|\r|\n)', re.IGNORECASE)
_GUARD = re.compile(r'=\s*"((?:[^"]|"")*)"\s*')
_CALL = re.compile(r'=\s*[+@-]?\s*([\w.]{1,60})\(\s*"((?:[^"]|"")*)"((?:\s*&\s*"(?:[^"]|"")*")*)')
_PIECE = re.compile(r'"((?:[^"]|"")*)"')


def read_text_table(path: Path, content: bytes) -> list[list[str]]:
    """Return the rows of a text file, blank ones included, so that the first is row 1 in a spreadsheet program.

    A first line `sep=;` tells the spreadsheet program the delimiter; it is not a row. Lines that only draw a table are
    blank rows.

    Raises:
        SpreadsheetError: it is not text, or a cell is too long.
    """
    text = decode(path, content)
    ordered = _SEPARATOR_LINE.match(text)
    if ordered:
        text = text[ordered.end() :]
        delimiter = ordered.group(1).replace("\\t", "\t")
    else:
        delimiter = _find_delimiter(text)
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        rows = _parsed(text, delimiter)
    except csv.Error as error:
        raise SpreadsheetError(
            f"The text is not a table: a cell has more than {MAX_FIELD_CHARACTERS:,} characters."
            if "field larger" in str(error)
            else f"The text is not a table ({error}).",
            where=path.name,
            fix="Save the rows as .xlsx or .csv from a spreadsheet program.",
        ) from error
    rows = without_rules(rows, delimiter)
    if any(f"{before}=" in text for before in (delimiter, "\n", "\r", '"')) or text.startswith("="):
        rows = [[_value(cell) if cell.startswith("=") else cell for cell in row] for row in rows]
    return rows


def decode(path: Path, content: bytes) -> str:
    """Return the text, whatever encoding it is in.

    Raises:
        SpreadsheetError: it is not text.
    """
    text = decoded(content)
    if "\0" in text:
        head = text[:10_000].replace("\0", "")
        controls = sum(sign < " " and sign not in "\t\n\r\v\f\x1a\x1b\x1f\x01" for sign in head)
        if controls > _CONTROL_SHARE * len(head) or not head:
            raise SpreadsheetError("This is not text.", where=path.name, fix="Save it as .xlsx, or as CSV UTF-8.")
        text = text.replace("\0", "")
    return text.rstrip("\x1a") if text.endswith("\x1a") else text  # the end of a file of DOS


def _parsed(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(_reader(text, delimiter, strict=True))
    except csv.Error:
        pass
    if '\\"' in text:
        try:
            escaped = io.StringIO(text, newline="")
            return list(csv.reader(escaped, delimiter=delimiter, strict=True, escapechar="\\", doublequote=False))
        except csv.Error:
            pass  # a path that ends with a backslash
    return list(_line_by_line(text, delimiter))


def _reader(
    text: str, delimiter: str, *, strict: bool = False, quoting: int = csv.QUOTE_MINIMAL
) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict, quoting=quoting)  # type: ignore[arg-type]


def _line_by_line(text: str, delimiter: str) -> Iterator[list[str]]:
    """Read lines of which some have a stray quote; an inch sign costs its own line its quotes, and no other.

    A cell of several lines ends at the next line with an odd number of quotes; so each line is looked at twice at most.
    """
    lines = io.StringIO(text, newline="").readlines()
    odd = [line.count('"') % 2 for line in lines]
    at = 0
    while at < len(lines):
        taken = 1
        if odd[at]:
            stop = min(len(lines), at + _MAX_QUOTED_LINES)
            closing = next((place for place in range(at + 1, stop) if odd[place]), None)
            single = _strict_row(lines[at], delimiter)
            if single is None and closing is not None:
                joined = _strict_row("".join(lines[at : closing + 1]), delimiter)
                if joined is not None:
                    yield joined
                    at = closing + 1
                    continue
            if single is not None:
                yield single
            else:
                # Whether a quote that was not closed begins a cell, or stands in the middle of one.
                quoting = csv.QUOTE_NONE if _is_unclosed(lines[at], delimiter) else csv.QUOTE_MINIMAL
                yield from _reader(lines[at], delimiter, quoting=quoting)
        else:
            yield from _reader(lines[at], delimiter)
        at += taken


def _strict_row(text: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(_reader(text, delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _is_unclosed(line: str, delimiter: str) -> bool:
    # A mark behind the line is in the last cell, and stands alone unless a quote took it in.
    last = list(_reader(f"{line.rstrip(chr(10) + chr(13))}{delimiter}\x02", delimiter))[-1:]
    return not last or not last[0] or last[0][-1] != "\x02"


def _value(cell: str) -> str:
    """Return what a formula of constants gives: `="000123"` keeps its zeros, and a link or picture is its address."""
    if guarded := _GUARD.fullmatch(cell):
        return guarded.group(1).replace('""', '"')
    called = _CALL.match(cell)
    if called is None:
        return cell
    text = (called.group(2) + "".join(_PIECE.findall(called.group(3)))).replace('""', '"')
    return text if "://" in text or (called.group(1).upper() == "T" and cell.rstrip().endswith('")')) else cell


def _find_delimiter(text: str) -> str:
    """Return the delimiter that cuts most rows into the same number (at least 2) of fields; a comma if no one does."""
    sample = text[:_SAMPLED_CHARACTERS]
    scores = {delimiter: _score(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best][0] < _RARE_DELIMITER_SHARE:
        for delimiter in _RARE_DELIMITERS:
            if delimiter in sample and _score(sample, delimiter)[0] >= _RARE_DELIMITER_SHARE:
                return delimiter
    return best


def _score(text: str, delimiter: str) -> tuple[float, int]:
    widths = Counter(_widths(text, delimiter))
    rows = widths.total()
    several = {width: count for width, count in widths.items() if width > 1}
    if not several:
        return (0.0, 0)
    width, count = max(several.items(), key=lambda item: (item[1], item[0]))
    return (round(count / rows, 1), width)


def _widths(text: str, delimiter: str) -> Iterator[int]:
    """Yield the number of fields in each of the first rows that are not blank."""
    lines: Iterator[Sequence[str]] = _reader(text, delimiter)
    seen = 0
    try:
        for row in lines:
            if any(row):
                seen += 1
                yield len(row)
            if seen >= SAMPLED_ROWS:
                return
    except csv.Error:
        return
