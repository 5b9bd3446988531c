"""From a spreadsheet as people make it to rows of URLs: which column holds them, and what stands beside them.

A sheet may have any layout: titles above the header, a header in any language, several sheets, several URL columns,
several URLs in a cell. How a file's bytes become cells is in `sheet_files`, how a cell becomes URLs in `web.urls`.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.error_cells import is_error
from meter_pipeline.ingest.sheets.sheet_files import Sheet, read_sheets
from meter_pipeline.ingest.web.urls import looks_like_schemeless_url, looks_like_url, urls_in
from meter_pipeline.settings import SheetSettings
from meter_pipeline.storage.csv_cells import unsafe_cell
from meter_pipeline.storage.tables import EXPORT_COLUMNS

READER_VERSION = "2"
"""Raised by hand with any change that gives different rows: every file that is still there is then read again."""
URL_SHARE = 0.3
"""A column is a URL column if at least this share of its filled cells (below the header) are URLs."""
SECOND_COLUMN_SHARE = 0.9
"""The share for a second URL column; it is higher because remarks may hold links too."""
HEADER_SEARCH_ROWS = 50
SHOWN_HEADERS = 12
_NO_WORD = re.compile(r"[\d\s.,:;/+%()\-]*")
"""A blank cell, a number, a date, a telephone number."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SheetRow:
    """A URL of a sheet, or a row without one.

    Attributes:
        sheet: the sheet's name; empty for a text file.
        row_number: as the spreadsheet program shows it, from 1.
        image_url: the cleaned URL; if the row is refused, what stood there (may be empty).
        other_columns: header to text, in the sheet's order; empty cells are included.
        reason: why the row is refused; None if the URL is fetched.
    """

    sheet: str
    row_number: int
    image_url: str
    other_columns: dict[str, str]
    reason: str | None = None


@dataclass(frozen=True)
class Spreadsheet:
    """All rows of a file, in order of sheets, rows and columns.

    Attributes:
        rows: refused ones included.
        sheets: names of the sheets that rows came from.
        url_columns: headers of the URL columns, `sheet!header` if there are several sheets.
        skipped: sheets that hold rows but no URL, and hidden sheets, each with the reason.
    """

    rows: list[SheetRow]
    sheets: list[str] = field(default_factory=list)
    url_columns: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[SheetRow]:
        """The rows without a URL that can be fetched."""
        return [row for row in self.rows if row.reason is not None]


@dataclass(frozen=True)
class _Table:
    """Where the URLs of a sheet are.

    Attributes:
        header: index of the header row in the sheet's rows; -1 if there is no header.
        names: a unique name for every column.
        url_columns: indexes of the URL columns.
    """

    header: int
    names: list[str]
    url_columns: list[int]


def read_spreadsheet(path: Path, choice: SheetSettings | None = None, *, content: bytes | None = None) -> Spreadsheet:
    """Read the rows of a spreadsheet file.

    Args:
        path: xlsx, xlsm, xlsb, xls, ods, csv or tsv.
        choice: sheet and column, if a person chose them, and the largest number of rows.
        content: the file's bytes, where they were read already.

    Raises:
        SpreadsheetError: the file cannot be read, or holds no URL anywhere.
        OSError: the file cannot be read now.
    """
    choice = choice or SheetSettings()
    sheets = read_sheets(path, content)
    chosen = _chosen(path, sheets, choice.sheet)
    result = Spreadsheet([])
    result.skipped.extend(f"{s.name} (hidden)" for s in sheets if s.hidden and s not in chosen)
    several = len(chosen) > 1
    seen: list[str] = []
    for one in chosen:
        if not any(any(cells) for cells in one.rows):
            continue
        table = _find_table(one, choice.url_column)
        if table is None:
            seen.append(_description(one))
            result.skipped.append(f"{one.name or path.name} (no URL column)")
            continue
        if one.name:
            result.sheets.append(one.name)
        result.url_columns.extend(
            f"{one.name}!{table.names[c]}" if several else table.names[c] for c in table.url_columns
        )
        result.rows.extend(_rows(one, table))
    for place in range(choice.max_rows, len(result.rows)):
        reason = f"over the limit of {choice.max_rows:,} rows per file; put it into a file of its own"
        result.rows[place] = replace(result.rows[place], reason=result.rows[place].reason or reason)
    if not any(row.reason is None for row in result.rows):
        raise _no_url(path, result, seen, choice.url_column, [s.name for s in sheets if s.hidden and s not in chosen])
    return result


def _chosen(path: Path, sheets: Sequence[Sheet], name: str | None) -> list[Sheet]:
    if name is None or all(not s.name for s in sheets):
        return [s for s in sheets if not s.hidden]
    found = [s for s in sheets if s.name.strip().casefold() == name.strip().casefold()]
    if not found:
        there = ", ".join(repr(s.name) for s in sheets)
        raise SpreadsheetError(
            f"There is no sheet {name!r}; there are {there}.", where=path.name, fix="Correct METER_SHEET, or unset it."
        )
    return found


def _find_table(sheet: Sheet, url_column: str | None) -> _Table | None:
    """Find header and URL columns; None if the sheet has no URL column."""
    width = max(map(len, sheet.rows))
    if url_column is not None:
        return _named_table(sheet, width, url_column)
    linked: dict[int, set[int]] = {}
    for (number, column), target in sheet.links.items():
        if looks_like_url(target):
            linked.setdefault(number, set()).add(column - sheet.first_column)
    for looks in (looks_like_url, looks_like_schemeless_url):
        urls: Counter[int] = Counter()
        first_row: dict[int, int] = {}
        for index, cells in enumerate(sheet.rows):
            hits = {column for column, cell in enumerate(cells) if cell and looks(cell)}
            for column in hits | linked.get(sheet.first_row + index, set()):
                urls[column] += 1
                first_row.setdefault(column, index)
        if not urls:
            continue
        tables = {column: _header_above(sheet, first_row[column]) for column in urls}
        # Filled cells from the header down: a title above it says nothing about its column.
        shares = {column: urls[column] / max(1, _filled(sheet, header, column)) for column, header in tables.items()}
        best = min(shares, key=lambda column: (-urls[column] * shares[column], column))
        if shares[best] < URL_SHARE:
            continue
        more = {column for column, share in shares.items() if share >= SECOND_COLUMN_SHARE and urls[column] > 1}
        return _Table(tables[best], _column_names(sheet, tables[best], width), sorted({best} | more))
    return None


def _filled(sheet: Sheet, header: int, column: int) -> int:
    return sum(column < len(cells) and bool(cells[column].strip()) for cells in sheet.rows[header + 1 :])


def _header_above(sheet: Sheet, first: int) -> int:
    """Return the index of the header row: the row above the first URL with the most words; -1 if no row has words.

    A title has fewer words, and a row of data without a URL has numbers and dates; of equals the topmost is taken.
    """
    from_row = max(0, first - HEADER_SEARCH_ROWS)
    words = [sum(not _NO_WORD.fullmatch(cell) for cell in cells) for cells in sheet.rows[from_row:first]]
    return from_row + words.index(max(words)) if any(words) else -1


def _named_table(sheet: Sheet, width: int, url_column: str) -> _Table | None:
    wanted = " ".join(url_column.split()).casefold()
    for index, cells in enumerate(sheet.rows[:HEADER_SEARCH_ROWS]):
        columns = [c for c, cell in enumerate(cells) if " ".join(cell.split()).casefold() == wanted]
        if columns:
            return _Table(index, _column_names(sheet, index, width), columns[:1])
    if re.fullmatch("[A-Za-z]{1,3}", url_column.strip()):
        letters = url_column.strip().upper()
        column = next((c for c in range(width) if column_letters(c + sheet.first_column) == letters), None)
        if column is not None:
            first = next(
                (i for i, cells in enumerate(sheet.rows) if column < len(cells) and _has_url(cells[column])), 0
            )
            header = _header_above(sheet, first)
            return _Table(header, _column_names(sheet, header, width), [column])
    return None


def _has_url(cell: str) -> bool:
    return looks_like_url(cell) or looks_like_schemeless_url(cell)


def _column_names(sheet: Sheet, header: int, width: int) -> list[str]:
    """Return a unique name for every column: its header, or `column C` without one; a repeated header gets ` (2)`."""
    cells = sheet.rows[header] if header >= 0 else []
    names: list[str] = []
    for column in range(width):
        text = " ".join(cells[column].split()) if column < len(cells) else ""
        name = base = text or f"column {column_letters(column + sheet.first_column)}"
        count = 1
        while name in names:
            count += 1
            name = f"{base} ({count})"
        names.append(name)
    return names


def column_letters(column: int) -> str:
    """Return a column's letters as the spreadsheet program shows them: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _rows(sheet: Sheet, table: _Table) -> list[SheetRow]:
    # Several URL columns stay among the other columns, so that people see which photo is which.
    left_out = set(table.url_columns) if len(table.url_columns) == 1 else set()
    ours = not sheet.name and tuple(table.names[: len(EXPORT_COLUMNS)]) == EXPORT_COLUMNS
    header_cells = [cell.strip() for cell in sheet.rows[table.header]] if table.header >= 0 else []
    used = _used_columns(sheet, table)
    rows: list[SheetRow] = []
    for number, raw in list(sheet.numbered())[table.header + 1 :]:
        if not any(cell.strip() for cell in raw) or [cell.strip() for cell in raw] == header_cells:
            continue  # blank, or the header again on the next printed page
        cells = [unsafe_cell(cell) for cell in raw] if ours else raw
        others = {table.names[c]: cells[c] if c < len(cells) else "" for c in used if c not in left_out}
        found = [url for column in table.url_columns for url in urls_in(_url_text(sheet, number, column, cells))]
        errors = [cells[c].strip() for c in table.url_columns if c < len(cells) and is_error(cells[c])]
        if errors and all(url.reason for url in found):
            reason = f"the cell holds the error {errors[0]}: correct its formula"
            rows.append(SheetRow(sheet.name, number, errors[0], others, reason))
            continue
        if not found:
            rows.append(SheetRow(sheet.name, number, "", others, "no URL"))
        rows.extend(SheetRow(sheet.name, number, url.url, others, url.reason) for url in found)
    return rows


def _used_columns(sheet: Sheet, table: _Table) -> list[int]:
    """Return the columns that have a header or a filled cell below it."""
    used = {c for cells in sheet.rows[max(table.header, 0) :] for c, cell in enumerate(cells) if cell}
    return sorted(used)


def _url_text(sheet: Sheet, number: int, column: int, cells: list[str]) -> str:
    text = cells[column] if column < len(cells) else ""
    # A URL that can be read is what people mean; the link behind it may be older.
    return text if looks_like_url(text) else sheet.links.get((number, column + sheet.first_column), text)


def _description(sheet: Sheet) -> str:
    """Return the sheet's name and what its header seems to be, for a message."""
    widest = max(sheet.rows[:HEADER_SEARCH_ROWS], key=lambda cells: sum(bool(cell.strip()) for cell in cells))
    headers = [" ".join(cell.split())[:40] for cell in widest if cell.strip()]
    more = ", ..." if len(headers) > SHOWN_HEADERS else ""
    name = f"sheet {sheet.name!r}" if sheet.name else "the table"
    return f"{name} with the columns {', '.join(headers[:SHOWN_HEADERS])}{more}"


def _no_url(
    path: Path, result: Spreadsheet, seen: list[str], url_column: str | None, hidden: list[str]
) -> SpreadsheetError:
    if result.rows:
        refused = Counter(row.reason for row in result.rows)
        reasons = ", ".join(f"{count} x {reason}" for reason, count in refused.most_common(3))
        what = f"None of the {len(result.rows):,} rows has a URL that can be fetched ({reasons})."
    elif seen:
        wanted = f" There is no column {url_column!r}." if url_column else ""
        what = f"No column of http(s) URLs was found.{wanted} Seen: {'; '.join(seen)}."
    else:
        what = "The file has no filled cells."
    if hidden:
        what += f" Hidden sheets are not read: {', '.join(hidden)}."
    return SpreadsheetError(
        what,
        where=path.name,
        fix="Put the URLs of the photos into one column, one per row, or name the column in METER_URL_COLUMN"
        " (its header or letter) and the sheet in METER_SHEET.",
    )
