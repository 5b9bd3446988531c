"""Puts what stands behind the cells of a workbook into its rows: links, formulas, what people see, merged ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area, Behind
from meter_pipeline.ingest.sheets.workbooks.calamine_rows import Grid
from meter_pipeline.ingest.sheets.workbooks.error_cells import is_error
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, Link, UnknownResult, Value, has_link, text_of
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import Place

MAX_CHAIN = 30
"""Formulas without a stored result that need one another; programs that leave results out write short chains."""
MAX_VISITS = 100_000_000
"""Cells looked at for links over ranges; ranges that lie on each other would look at the same cells again and again."""


class OverlappingLinksError(Exception):
    """Links over ranges lie on each other so often that nobody can have made them."""


@dataclass
class FilledSheet:
    """A sheet's rows with what stands behind them.

    Attributes:
        grid: the rows.
        behind: what was found behind them.
        links: where cells lead that show another text.
        reasons: for cells with a link that cannot be worked out, why, in words for people.
    """

    grid: Grid
    behind: Behind
    links: dict[Place, str] = field(default_factory=dict)
    reasons: dict[Place, str] = field(default_factory=dict)


def filled(grids: list[Grid], behind: Mapping[str, Behind]) -> list[FilledSheet]:
    """Put what stands behind the cells of all sheets into their rows.

    Raises:
        OverlappingLinksError: links over ranges lie on each other.
    """
    sheets = [FilledSheet(grid, behind.get(grid.name, Behind())) for grid in grids]
    for sheet in sheets:
        for (row, column), text in sheet.behind.texts.items():
            sheet.grid.put(row, column, text)
        sheet.links.update(sheet.behind.links)
    by_name = {sheet.grid.name.casefold(): sheet for sheet in sheets}
    for sheet in sheets:
        _work_out(sheet, by_name)
    for sheet in sheets:
        # After the formulas, which take numbers as they are and not as they are shown.
        for row, column, text in sheet.behind.numbers:
            sheet.grid.put(row, column, text)
        _link_ranges(sheet)
        _show_links(sheet)
        _fill_merged(sheet)
    return sheets


def _work_out(sheet: FilledSheet, sheets: Mapping[str, FilledSheet]) -> None:
    cells = _LookUp(sheet, sheets)
    for (row, column), formula in sheet.behind.formulas.items():
        if not sheet.grid.first_row <= row <= sheet.grid.last_row:
            continue
        try:
            result = formula.result(cells, row, column)
        except UnknownResult as unknown:
            if has_link(formula.text) and not sheet.grid.text(row, column).lower().startswith(("http:", "https:")):
                sheet.reasons[row, column] = (
                    f"the URL in the cell's formula cannot be worked out ({unknown}): put the URL itself into the cell"
                )
            continue
        shown = sheet.grid.text(row, column)
        if isinstance(result, Link):
            target = result.target.strip()
            if target.lower().startswith(("http:", "https:", "www.")):
                sheet.links[row, column] = target
                if is_error(shown):
                    sheet.grid.put(row, column, target)
        if not shown:
            sheet.grid.put(row, column, text_of(result))


class _LookUp:
    """The cells that formulas of a sheet look up."""

    def __init__(self, sheet: FilledSheet, sheets: Mapping[str, FilledSheet], depth: int = 0) -> None:
        self._sheet, self._sheets, self._depth = sheet, sheets, depth

    def value(self, sheet: str, row: int, column: int) -> Value:
        """Return a cell's text, None if it is blank; a formula without a stored result is worked out first."""
        where = self._sheets.get(sheet.casefold()) if sheet else self._sheet
        if where is None:
            raise UnknownResult(f"there is no sheet {sheet[:40]!r}")
        text = where.grid.text(row, column)
        if text:
            return text
        formula: Formula | None = where.behind.formulas.get((row, column))
        if formula is None:
            return None
        if self._depth >= MAX_CHAIN:
            raise UnknownResult("it needs a long chain of other formulas")
        return formula.result(_LookUp(where, self._sheets, self._depth + 1), row, column)

    def table_column(self, table: str, name: str) -> int:
        """Return the number of a table's column; without a table's name any table of the sheet may have it."""
        for one in self._sheet.behind.tables:
            if table and one.name.casefold() != table.casefold():
                continue
            for place, column in enumerate(one.columns):
                if column.casefold() == name.casefold():
                    return one.area[1] + place
        raise UnknownResult(f"there is no column {name[:40]!r} in a table of the sheet")


def _link_ranges(sheet: FilledSheet) -> None:
    visits = 0
    grid = sheet.grid
    for area, target in sheet.behind.linked_areas:
        first_row, last_row = max(area[0], grid.first_row), min(area[2], grid.last_row)
        visits += max(0, last_row - first_row + 1)
        left, right = max(0, area[1] - grid.first_column), area[3] - grid.first_column + 1
        for row in range(first_row, last_row + 1):
            cells = grid.rows[row - grid.first_row]
            visits += max(0, min(right, len(cells)) - left)
            if visits > MAX_VISITS:
                raise OverlappingLinksError
            for at in range(left, min(right, len(cells))):
                if cells[at]:
                    sheet.links.setdefault((row, at + grid.first_column), target)


def _show_links(sheet: FilledSheet) -> None:
    """Let a blank cell with a link show where it leads, and forget links that lead where the text says."""
    same = []
    for place, target in sheet.links.items():
        text = sheet.grid.text(*place)
        if not text:
            sheet.grid.put(*place, target)
        if not text or text == target:
            same.append(place)
    for place in same:
        del sheet.links[place]


def _fill_merged(sheet: FilledSheet) -> None:
    """Give the value of a merged range to each row it covers; over columns it stays one cell."""
    grid = sheet.grid
    last: dict[int, int] = {}
    areas: set[Area] = set(sheet.behind.merged) or set(grid.merged)
    for first_row, column, last_row, _ in sorted(areas):
        if last_row <= first_row or first_row <= last.get(column, 0):
            continue  # in one row, or on top of another range: then each row is looked at once
        last[column] = last_row
        text = grid.text(first_row, column)
        link = sheet.links.get((first_row, column))
        reason = sheet.reasons.get((first_row, column))
        if not text:
            continue
        for row in range(first_row + 1, min(last_row, grid.last_row) + 1):
            if grid.text(row, column):
                continue
            grid.put(row, column, text)
            if link is not None:
                sheet.links[row, column] = link
            if reason is not None:
                sheet.reasons[row, column] = reason
