"""From a spreadsheet as people make it to rows of URLs: which column holds them, and what stands beside them.

A sheet may have any layout: titles above the header, a header in any language, several sheets, several URL columns,
several URLs in a cell. How a file's bytes become cells is in `sheet_files`, which columns are taken in `columns`, how a
cell becomes URLs in `web.cell_urls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.columns.cell_texts import url_text
from meter_pipeline.ingest.sheets.columns.header_words import says_no_photo
from meter_pipeline.ingest.sheets.columns.judging import choose_columns
from meter_pipeline.ingest.sheets.columns.tables_in_sheets import (
    HEADER_SEARCH_ROWS,
    Table,
    candidates_in,
    is_export,
    named_table,
    shown,
    table_of,
)
from meter_pipeline.ingest.sheets.sheet_files import Sheet, read_sheets
from meter_pipeline.ingest.sheets.workbooks.error_cells import is_error
from meter_pipeline.ingest.web.cell_urls import urls_in
from meter_pipeline.ingest.web.urls import CellUrl, looks_like_url
from meter_pipeline.storage.csv_cells import unsafe_cell

MAX_COLUMNS = 16_384
"""The last column of a sheet in Excel is XFD, the 16,384th; a text file with more is not a table of photos."""
SHOWN_HEADERS = 12
SHOWN_CHARACTERS = 120
NO_URL = "no URL"
NOT_A_URL = "not a URL"
NO_PHOTO = "no URL: the cell says that there is none"


class SheetChoice(Protocol):
    """What a person chose, as `SheetSettings` has it; the reading process does without settings, which start slowly."""

    @property
    def url_column(self) -> str | None:
        """Header or letter of the URL column."""

    @property
    def sheet(self) -> str | None:
        """The only sheet to read."""

    @property
    def max_rows(self) -> int:
        """Most rows of one spreadsheet."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A URL of a sheet, or a row without one.

    Attributes:
        sheet: the sheet's name; empty for a text file.
        row_number: as the spreadsheet program shows it, from 1.
        image_url: the cleaned URL; if the row is refused, what stood there (may be empty).
        other_columns: header to text, in the sheet's order; empty cells are included. The URLs of one row of the sheet
            share one object.
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
        passed_over: columns with URLs that were not taken, each with the reason, and what else is to be said.
        in_doubt: a few URLs; whether they are photos decides which columns are taken. Empty where the file decides.
    """

    rows: list[SheetRow]
    sheets: list[str] = field(default_factory=list)
    url_columns: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[SheetRow]:
        """The rows without a URL that can be fetched."""
        return [row for row in self.rows if row.reason is not None]


def read_spreadsheet(
    path: Path,
    choice: SheetChoice | None = None,
    *,
    content: bytes | None = None,
    looked: Mapping[str, bool] | None = None,
) -> Spreadsheet:
    """Read the rows of a spreadsheet file; nothing is fetched.

    Args:
        path: xlsx, xlsm, xlsb, xls, ods, csv or tsv.
        choice: sheet and column, if a person chose them, and the largest number of rows.
        content: the file's bytes, where they were read already.
        looked: for URLs that were `in_doubt` before, whether a photo is behind them; those that could not be reached
            are left out.

    Raises:
        SpreadsheetError: the file cannot be read, or holds no URL anywhere.
        OSError: the file cannot be read now.
    """
    if choice is None:
        from meter_pipeline.settings import SheetSettings

        choice = SheetSettings()
    sheets = read_sheets(path, content)
    chosen = _chosen(path, sheets, choice.sheet)
    hidden = [s.name for s in sheets if s.hidden and s not in chosen]
    result = Spreadsheet([])
    result.skipped.extend(f"{name} (hidden)" for name in hidden)
    filled = [sheet for sheet in chosen if any(any(cells) for cells in sheet.rows)]
    for sheet in filled:
        _refuse_width(path, sheet)
    pictures = _pictures(chosen)
    result.passed_over.extend(pictures)
    seen: list[str] = []
    for sheet, table in zip(filled, _tables(filled, choice.url_column, looked, result, len(chosen) > 1), strict=True):
        if table is None:
            seen.append(_description(sheet))
            result.skipped.append(f"{sheet.name or path.name} (no URL column)")
            continue
        if sheet.name:
            result.sheets.append(sheet.name)
        result.url_columns.extend(shown(sheet, table.names[c], len(chosen) > 1) for c in table.url_columns)
        result.rows.extend(_rows(sheet, table))
    for place in range(choice.max_rows, len(result.rows)):
        reason = f"over the limit of {choice.max_rows:,} rows per file; put it into a file of its own"
        result.rows[place] = replace(result.rows[place], reason=result.rows[place].reason or reason)
    if not any(row.reason is None for row in result.rows):
        raise _no_url(path, result, seen, choice.url_column, hidden, pictures)
    return result


def _tables(
    sheets: Sequence[Sheet],
    url_column: str | None,
    looked: Mapping[str, bool] | None,
    result: Spreadsheet,
    several: bool,
) -> list[Table | None]:
    """Find header and URL columns of each sheet; None for one without. What is to be said goes into the result."""
    if url_column is not None:
        return [named_table(sheet, url_column) for sheet in sheets]
    candidates = [candidates_in(sheet, several) for sheet in sheets]
    choices = choose_columns([one.columns for one in candidates], looked)
    for choice in choices:
        result.passed_over.extend([*choice.passed_over, *choice.notes])
        result.in_doubt.extend(choice.in_doubt)
    return [table_of(sheet, one, choice) for sheet, one, choice in zip(sheets, candidates, choices, strict=True)]


def _refuse_width(path: Path, sheet: Sheet) -> None:
    width = max((_width(cells) for cells in sheet.rows if len(cells) + sheet.first_column > MAX_COLUMNS), default=0)
    if width + sheet.first_column > MAX_COLUMNS:
        where = f"Sheet {sheet.name!r}" if sheet.name else "The table"
        raise SpreadsheetError(
            f"{where} has {width + sheet.first_column:,} columns; at most {MAX_COLUMNS:,} are read, as in Excel.",
            where=path.name,
            fix="Delete the columns that are not needed. If it should have few columns, its separators or line ends"
            " are not what they seem: save it again as .xlsx.",
        )


def _width(cells: Sequence[str]) -> int:
    """Return a row's number of cells without the blank ones at its end."""
    width = len(cells)
    while width and not cells[width - 1]:
        width -= 1
    return width


def _pictures(sheets: Sequence[Sheet]) -> list[str]:
    """Return what is to be said about pictures that are inside the workbook."""
    words = []
    for sheet in sheets:
        if sheet.pictures:
            pictures = f"{sheet.pictures:,} pictures are" if sheet.pictures > 1 else "1 picture is"
            words.append(f"{pictures} inside the workbook (sheet {sheet.name!r}) and not read")
    return words


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


def _rows(sheet: Sheet, table: Table) -> Iterator[SheetRow]:
    # Several URL columns stay among the other columns, so that people see which photo is which.
    left_out = set(table.url_columns) if len(table.url_columns) == 1 else set()
    ours = is_export(sheet, table.names)
    header_cells = _stripped(sheet.rows[table.header]) if table.header >= 0 else []
    others_of = _others(table.names, [c for c in _used_columns(sheet, table) if c not in left_out])
    # One cell is compared first, as it stands: of most rows the others need not be.
    first_name = next((place for place, cell in enumerate(header_cells) if cell), 0)
    first_header = sheet.rows[table.header][first_name : first_name + 1] if header_cells else []
    for index in range(table.header + 1, len(sheet.rows)):
        raw = sheet.rows[index]
        sheet.rows[index] = []  # its texts go on in `other_columns`; of a million rows the lists are not kept as well
        if not any(raw) or not any(cell.strip() for cell in raw):
            continue
        if header_cells and raw[first_name : first_name + 1] == first_header and _stripped(raw) == header_cells:
            continue  # the header again on the next printed page
        number = sheet.first_row + index
        cells = [unsafe_cell(cell) for cell in raw] if ours else raw
        others = others_of(cells)
        for url in _urls_of_row(sheet, number, cells, table.url_columns):
            yield SheetRow(sheet.name, number, url.url, others, url.reason)


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _urls_of_row(sheet: Sheet, number: int, cells: list[str], columns: Sequence[int]) -> list[CellUrl]:
    """Return the URLs of a row, in order of its columns; one refused entry for a row without any."""
    found: list[CellUrl] = []
    instead: list[CellUrl] = []
    for column in columns:
        text = url_text(sheet, number, column, cells)
        reason = _unsolved(sheet, number, column, text)
        if reason:
            instead.append(CellUrl(text, reason))
        elif not text:
            continue
        elif "://" in text:
            found.extend(urls_in(text))
        elif is_error(text):
            error = text.strip()
            instead.append(CellUrl(error, f"the cell holds the error {error}: correct its formula"))
        elif says_no_photo(text):
            instead.append(CellUrl(text.strip(), NO_PHOTO))
        else:
            found.extend(urls_in(text))
    if any(url.reason is None for url in found):
        # What another photo column says in place of a URL stands among the other columns, and is no row of its own.
        return found if len(columns) == 1 else [url for url in found if url.reason != NOT_A_URL]
    # An error or an unsolved formula says more than what stands in another column; a word for "none" says less.
    telling = [url for url in instead if url.reason != NO_PHOTO]
    return telling[:1] or found or instead[:1] or [CellUrl("", NO_URL)]


def _unsolved(sheet: Sheet, number: int, column: int, text: str) -> str | None:
    """Return why the URL of a cell's formula cannot be worked out; None where there is one, or no formula."""
    reason = sheet.reasons.get((number, column + sheet.first_column)) if sheet.reasons else None
    return None if reason is None or looks_like_url(text) else reason


def _others(names: Sequence[str], columns: Sequence[int]) -> Callable[[list[str]], dict[str, str]]:
    """Return what makes a row's `other_columns`; of a hundred thousand rows this is most of the work."""
    if len(columns) < 2:
        return lambda cells: {names[c]: cells[c] if c < len(cells) else "" for c in columns}
    keys = [names[c] for c in columns]
    width = columns[-1] + 1
    pick = itemgetter(*columns)

    def others(cells: list[str]) -> dict[str, str]:
        if len(cells) < width:
            cells = cells + [""] * (width - len(cells))
        return dict(zip(keys, pick(cells), strict=True))

    return others


def _used_columns(sheet: Sheet, table: Table) -> list[int]:
    """Return the columns that have a header or a filled cell below it."""
    unseen = set(range(len(table.names)))
    for index in range(max(table.header, 0), len(sheet.rows)):
        if not unseen:
            break
        cells = sheet.rows[index]
        if len(unseen) < len(cells):
            unseen -= {c for c in unseen if c < len(cells) and cells[c]}
        else:
            unseen -= {c for c, cell in enumerate(cells) if cell}
    return sorted(set(range(len(table.names))) - unseen)


def _description(sheet: Sheet) -> str:
    """Return the sheet's name and what its header seems to be, for a message."""
    widest = max(sheet.rows[:HEADER_SEARCH_ROWS], key=lambda cells: sum(bool(cell.strip()) for cell in cells))
    headers = [" ".join(cell.split())[:40] for cell in widest if cell.strip()]
    more = ", ..." if len(headers) > SHOWN_HEADERS else ""
    name = f"sheet {sheet.name!r}" if sheet.name else "the table"
    return f"{name} with the columns {', '.join(headers[:SHOWN_HEADERS])}{more}"


def _no_url(
    path: Path, result: Spreadsheet, seen: list[str], url_column: str | None, hidden: list[str], pictures: list[str]
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
    others = [words[:SHOWN_CHARACTERS] for words in result.passed_over if words not in pictures]
    if others:
        what += (
            f" URLs of other things: {', '.join(others[:SHOWN_HEADERS])}{', ...' if others[SHOWN_HEADERS:] else ''}."
        )
    if pictures:
        what += f" {', '.join(pictures)}."
    if hidden:
        what += f" Hidden sheets are not read: {', '.join(hidden)}."
    fix = (
        "Put the URLs of the photos into one column, one per row, or name the column in METER_URL_COLUMN"
        " (its header or letter) and the sheet in METER_SHEET."
    )
    if pictures:
        fix = "Save the pictures as files, put them where they have URLs, and write these into a column, one per row."
    return SpreadsheetError(what, where=path.name, fix=fix)
