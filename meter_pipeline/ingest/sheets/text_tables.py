"""From a CSV or TSV file's bytes to rows of text; encoding and delimiter are detected."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from meter_pipeline.errors import SpreadsheetError

DELIMITERS = (",", ";", "\t", "|")
SAMPLED_ROWS = 200
MAX_FIELD_CHARACTERS = 1_000_000
"""A longer field means an unclosed quote, or that the text is not a table."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def read_text_table(path: Path, content: bytes) -> list[list[str]]:
    """Return the rows of a text file, blank ones included, so that the first is row 1 in a spreadsheet program.

    A first line `sep=;` tells the spreadsheet program the delimiter; it is not a row.

    Raises:
        SpreadsheetError: it is not text.
    """
    text = decode(path, content)
    ordered = _SEPARATOR_LINE.match(text)
    if ordered:
        text = text[ordered.end() :]
    delimiter = ordered.group(1) if ordered else _find_delimiter(text)
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        return _rows(text, delimiter, strict=True)
    except csv.Error as error:
        # A quote that is never closed (an inch sign) would swallow all rows after it; then each line is a row. The
        # other error is a quote in the middle of a field, which the lenient reader takes as it is.
        unclosed = "unexpected end of data" in str(error)
    try:
        return _rows(text, delimiter, quoting=csv.QUOTE_NONE if unclosed else csv.QUOTE_MINIMAL)
    except csv.Error as error:
        raise SpreadsheetError(
            f"The text is not a table ({error}).",
            where=path.name,
            fix="Save the rows as .xlsx or .csv from a spreadsheet program.",
        ) from error


def _rows(text: str, delimiter: str, *, strict: bool = False, quoting: int = csv.QUOTE_MINIMAL) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    return list(csv.reader(lines, delimiter=delimiter, strict=strict, quoting=quoting))  # type: ignore[arg-type]


def decode(path: Path, content: bytes) -> str:
    """Return the text: by its byte order mark, as UTF-16 without one, as UTF-8, or as Windows-1252.

    Raises:
        SpreadsheetError: it is not text.
    """
    encodings = [encoding for mark, encoding in _MARKS if content.startswith(mark)][:1] or _without_mark(content)
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text[:10_000]:
            return text
    raise SpreadsheetError(
        "This is not text in UTF-8, UTF-16 or Windows-1252.", where=path.name, fix="Save it as .xlsx, or as CSV UTF-8."
    )


def _without_mark(content: bytes) -> list[str]:
    head = content[:4000]
    half = max(len(head) // 2, 1)
    # Latin text in UTF-16 has a zero in every second byte, and other text has none at all.
    if head[1::2].count(0) > 0.3 * half:
        return ["utf-16-le"]
    if head[0::2].count(0) > 0.3 * half:
        return ["utf-16-be"]
    # Windows-1252 leaves five bytes undefined; Latin-1 takes them, so no table is lost for one odd byte.
    return ["utf-8", "cp1252", "latin-1"]


def _find_delimiter(text: str) -> str:
    """Return the delimiter that cuts most rows into the same number (at least 2) of fields; a comma if no one does."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = Counter(_widths(text, delimiter))
        rows = widths.total()
        several = {width: count for width, count in widths.items() if width > 1}
        if not several:
            continue
        width, count = max(several.items(), key=lambda item: (item[1], item[0]))
        score = (round(count / rows, 1), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(text: str, delimiter: str) -> Iterator[int]:
    """Yield the number of fields in each of the first rows that are not blank."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
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
