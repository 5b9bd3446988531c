"""Where the table of a sheet is: its header row, the names of its columns, and which of them have URLs.

Which of these columns hold photos is in `judging`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from meter_pipeline.ingest.sheets.columns.cell_texts import url_text
from meter_pipeline.ingest.sheets.columns.header_words import says_no_photo
from meter_pipeline.ingest.sheets.columns.judging import Choice, UrlColumn, is_prose
from meter_pipeline.ingest.sheets.sheet_files import Sheet
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_letters
from meter_pipeline.ingest.web.urls import looks_like_schemeless_url, looks_like_url
from meter_pipeline.storage.tables import EXPORT_COLUMNS

HEADER_SEARCH_ROWS = 50
SAMPLED_CELLS = 200
"""Cells of a column whose URLs are judged, spread over its rows; fewer where very many columns have URLs."""
SAMPLED_IN_ALL = 20_000
FEWEST_SAMPLED = 5
_NO_WORD = re.compile(r"[\d\s.,:;/+%()\-]*")
"""A blank cell, a number, a date, a telephone number."""


@dataclass(frozen=True)
class Table:
    """Where the URLs of a sheet are.

    Attributes:
        header: index of the header row in the sheet's rows; -1 if there is no header.
        names: a unique name for every column.
        url_columns: indexes of the URL columns.
    """

    header: int
    names: list[str]
    url_columns: list[int]


@dataclass(frozen=True)
class Candidates:
    """The columns of a sheet that have URLs, and the header above them."""

    header: int
    names: list[str]
    columns: list[UrlColumn]


def table_of(sheet: Sheet, found: Candidates, choice: Choice) -> Table | None:
    """Return the table with the columns that were chosen; None if there are none."""
    if not choice.taken:
        return None
    return Table(found.header, found.names, [0] if is_export(sheet, found.names) else choice.taken)


def named_table(sheet: Sheet, url_column: str) -> Table | None:
    """Return the table whose URL column a person named, by header or letter; None if the sheet has no such column."""
    wanted = " ".join(url_column.split()).casefold()
    for index, cells in enumerate(sheet.rows[:HEADER_SEARCH_ROWS]):
        columns = [c for c, cell in enumerate(cells) if " ".join(cell.split()).casefold() == wanted]
        if columns:
            return Table(index, _column_names(sheet, index), columns[:1])
    if re.fullmatch("[A-Za-z]{1,3}", url_column.strip()):
        letters = url_column.strip().upper()
        width = max(map(len, sheet.rows))
        column = next((c for c in range(width) if column_letters(c + sheet.first_column) == letters), None)
        if column is not None:
            first = next(
                (i for i, cells in enumerate(sheet.rows) if column < len(cells) and _has_url(cells[column])), 0
            )
            header = _header_above(sheet, first)
            return Table(header, _column_names(sheet, header), [column])
    return None


def candidates_in(sheet: Sheet, several: bool) -> Candidates:
    """Find the columns with URLs, the header above them, and a sample of each column's URLs."""
    hits = _cells_with_urls(sheet)
    if not hits:
        return Candidates(-1, [], [])
    # A link in a title or a remark does not say where the table begins; the columns that have most URLs do.
    most = max(map(len, hits.values()))
    is_title = _titles(sheet)
    header = _header_above(sheet, min(_first(rows, is_title) for rows in hits.values() if len(rows) * 2 >= most))
    names = _column_names(sheet, header)
    hits = {column: below for column, rows in hits.items() if (below := [row for row in rows if row > header])}
    size = max(FEWEST_SAMPLED, min(SAMPLED_CELLS, SAMPLED_IN_ALL // max(1, len(hits))))
    columns = []
    for column in sorted(hits):
        rows = hits[column]
        places = [rows[i * len(rows) // size] for i in range(size)] if len(rows) > size else rows
        texts = (url_text(sheet, row + sheet.first_row, column, sheet.rows[row]) for row in rows)
        columns.append(
            UrlColumn(
                column,
                shown(sheet, names[column], several),
                _header_text(sheet, header, column),
                len(rows),
                _filled(sheet, header, column),
                [(row, url_text(sheet, row + sheet.first_row, column, sheet.rows[row])) for row in places],
                _constant(texts),
            )
        )
    return Candidates(header, names, columns)


def is_export(sheet: Sheet, names: Sequence[str]) -> bool:
    """Return whether this is a CSV export of ours: its first column has the URL, whatever the others repeat of it."""
    return not sheet.name and tuple(names[: len(EXPORT_COLUMNS)]) == EXPORT_COLUMNS


def shown(sheet: Sheet, name: str, several: bool) -> str:
    """Return a column's name as people see it: with its sheet where there are several."""
    return f"{sheet.name}!{name}" if several else name


def _cells_with_urls(sheet: Sheet) -> dict[int, list[int]]:
    """Return the row indexes of the cells with URLs, by column; URLs without `http://` count where no others are."""
    linked: dict[int, set[int]] = {}
    for (number, column), target in sheet.links.items():
        if looks_like_url(target):
            linked.setdefault(number - sheet.first_row, set()).add(column - sheet.first_column)
    for number, column in sheet.reasons:
        linked.setdefault(number - sheet.first_row, set()).add(column - sheet.first_column)
    # A character is looked for before the URL: of most cells the answer is no.
    for looks, mark, wide in ((looks_like_url, ":", "\uff1a"), (looks_like_schemeless_url, "/", "/")):
        hits: dict[int, list[int]] = {}
        for index, cells in enumerate(sheet.rows):
            found = [column for column, cell in enumerate(cells) if (mark in cell or wide in cell) and looks(cell)]
            if linked and index in linked:
                found = [*linked[index].union(found)]
            for column in found:
                if column in hits:
                    hits[column].append(index)
                else:
                    hits[column] = [index]
        if hits:
            return hits
    return {}


def _first(rows: Sequence[int], is_title: Callable[[int], bool]) -> int:
    """Return the first row of the table that has a URL: titles may have one too."""
    return next((row for row in rows[:HEADER_SEARCH_ROWS] if not is_title(row)), rows[0])


def _titles(sheet: Sheet) -> Callable[[int], bool]:
    """Return what says whether a row is a sentence that stands alone; each row is looked at once."""

    @functools.cache
    def is_title(row: int) -> bool:
        filled = [cell for cell in sheet.rows[row] if cell and not cell.isspace()]
        return len(filled) == 1 and is_prose(filled[0])

    return is_title


def _constant(texts: Iterator[str]) -> bool:
    first = next(texts)
    return all(text == first for text in texts)


def _filled(sheet: Sheet, header: int, column: int) -> int:
    """Return the number of filled cells from the header down (a title above says nothing about its column)."""
    filled = 0
    for index in range(header + 1, len(sheet.rows)):
        cells = sheet.rows[index]
        if column < len(cells) and (text := cells[column].strip()) and ("://" in text or not says_no_photo(text)):
            filled += 1
    return filled


def _header_above(sheet: Sheet, first: int) -> int:
    """Return the index of the header row: the row above the first URL with the most words; -1 if no row has words.

    A title has fewer words, and a row of data without a URL has numbers and dates; of equals the topmost is taken.
    """
    from_row = max(0, first - HEADER_SEARCH_ROWS)
    words = [sum(not _NO_WORD.fullmatch(cell) for cell in cells) for cells in sheet.rows[from_row:first]]
    return from_row + words.index(max(words)) if any(words) else -1


def _header_text(sheet: Sheet, header: int, column: int) -> str:
    """Return the words above a column: its header, or what stands above that where it is blank."""
    for index in range(header, max(-1, header - 3), -1):
        cells = sheet.rows[index]
        if column < len(cells) and cells[column].strip():
            return " ".join(cells[column].split())
    return ""


def _has_url(cell: str) -> bool:
    return looks_like_url(cell) or looks_like_schemeless_url(cell)


def _column_names(sheet: Sheet, header: int) -> list[str]:
    """Return a unique name for every column: its header, or `column C` without one; a repeated header gets ` (2)`."""
    cells = sheet.rows[header] if header >= 0 else []
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for column in range(max(map(len, sheet.rows))):
        text = " ".join(cells[column].split()) if column < len(cells) else ""
        name = base = text or f"column {column_letters(column + sheet.first_column)}"
        while name in names:
            # Counted on from where the last one of this name stopped: many columns may have one name.
            counts[base] = counts.get(base, 1) + 1
            name = f"{base} ({counts[base]})"
        names[name] = None
    return list(names)
