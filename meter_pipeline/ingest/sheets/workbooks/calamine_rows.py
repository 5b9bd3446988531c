"""The values of a workbook's cells as its reader, calamine, gives them, as text."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import python_calamine

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area
from meter_pipeline.ingest.sheets.workbooks.xlsx.mending import Nearer

_MAX_EXACT = 1e21
"""From here on Python prints floats with an exponent, and so does Excel."""
_SIGNIFICANT_DIGITS = 15
"""What a spreadsheet program shows of a number; the rest is rounding noise of binary fractions."""
_REMEMBERED_TEXTS = 20_000
"""Texts of which one copy serves all cells; a column of remarks or states has fewer, a column of URLs has more."""


@dataclass
class Grid:
    """The texts of a sheet's cells.

    Attributes:
        name: as on the sheet's tab.
        hidden: whether people do not see the sheet.
        first_row: number of the first of `rows`, from 1.
        first_column: number of the first column, from 0.
        rows: texts of the cells; a row may end before the others do.
        merged: ranges merged into one cell, where the reader knows them.
    """

    name: str
    hidden: bool
    first_row: int
    first_column: int
    rows: list[list[str]]
    merged: list[Area] = field(default_factory=list)

    @property
    def last_row(self) -> int:
        """Number of the last row."""
        return self.first_row + len(self.rows) - 1

    def text(self, row: int, column: int) -> str:
        """Return a cell's text; empty outside of the rows."""
        if not self.first_row <= row <= self.last_row:
            return ""
        cells, at = self.rows[row - self.first_row], column - self.first_column
        return cells[at] if 0 <= at < len(cells) else ""

    def put(self, row: int, column: int, text: str) -> None:
        """Set a cell's text, if it is in one of the rows."""
        if not self.first_row <= row <= self.last_row:
            return
        cells, at = self.rows[row - self.first_row], column - self.first_column
        if at < 0:
            # Rare: a cell that the reader leaves out stands to the left of all others.
            for each in self.rows:
                each[:0] = [""] * -at
            self.first_column, at = column, 0
        if at >= len(cells):
            cells.extend([""] * (at - len(cells) + 1))
        cells[at] = text


def read_grids(content: bytes, nearer: Mapping[str, Nearer] | None = None) -> list[Grid]:
    """Read all sheets of a workbook.

    Args:
        content: the workbook.
        nearer: how rows and columns were brought together, by the sheets' names.

    Raises:
        CalamineError: the workbook cannot be read.
    """
    grids = []
    remembered: dict[str, str] = {}
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
        for index, about in enumerate(workbook.sheets_metadata):
            if about.typ != python_calamine.SheetTypeEnum.WorkSheet:
                continue  # charts and macros
            sheet = workbook.get_sheet_by_index(index)
            hidden = about.visible != python_calamine.SheetVisibleEnum.Visible
            row, column = sheet.start or (0, 0)
            near = (nearer or {}).get(about.name)
            if sheet.start is None:
                grids.append(Grid(about.name, hidden, 1, 0, []))
            elif near is not None:
                rows = near.back(_texts(sheet.iter_rows(), remembered), column)
                grids.append(Grid(about.name, hidden, near.rows[0], near.columns[0], rows))
            else:
                # The reader gives the blank rows above the first filled one too, and not the columns before.
                rows = list(_texts(islice(sheet.iter_rows(), row, None), remembered))
                merged = [(r + 1, c, r2 + 1, c2) for (r, c), (r2, c2) in sheet.merged_cell_ranges or ()]
                grids.append(Grid(about.name, hidden, row + 1, column, rows, merged))
    return grids


def _texts(rows: Iterable[Sequence[object]], remembered: dict[str, str]) -> Iterator[list[str]]:
    one_copy = remembered.get
    for cells in rows:
        # No call for a text: nearly all cells are texts, and a sheet has millions.
        texts = [one_copy(value, value) if type(value) is str else cell_text(value) for value in cells]
        if len(remembered) < _REMEMBERED_TEXTS:
            for text in texts:
                remembered.setdefault(text, text)
        yield texts


def cell_text(value: object) -> str:
    """Return a cell's value as people see it: whole numbers without a point, dates in ISO form, empty as empty text."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _MAX_EXACT:
            return str(int(value))
        return f"{value:.{_SIGNIFICANT_DIGITS}g}"
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return str(value)
