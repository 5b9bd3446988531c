"""A results table made elsewhere, opened to look at: which columns of ours it has, which are missing, what it says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.sheet_files import read_sheets
from meter_pipeline.storage.csv_cells import unsafe_cell
from meter_pipeline.storage.tables import EXPORT_COLUMNS

LABEL = "final_prediction"


@dataclass(frozen=True)
class ForeignResults:
    """A results table.

    Attributes:
        header: its columns, in order.
        rows: cells as text, as many as the header has.
        missing: columns of a batch report (`EXPORT_COLUMNS`) that it lacks.
        further: columns it has beyond those.
        labels: rows by final prediction, the most frequent first; empty if it has no such column.
    """

    header: list[str]
    rows: list[list[str]]
    missing: list[str]
    further: list[str]
    labels: dict[str, int]


def open_results(name: str, content: bytes) -> ForeignResults:
    """Read a results table: its first sheet's first row is the header.

    Args:
        name: the file's name; its ending says what it is (.csv, .tsv, .xlsx, ...).
        content: its bytes.

    Raises:
        SpreadsheetError: it cannot be read, or holds none of the columns of a batch report.
    """
    sheets = [sheet for sheet in read_sheets(Path(name), content) if not sheet.hidden]
    rows = [cells for _number, cells in sheets[0].numbered() if any(cells)] if sheets else []
    if not rows:
        raise SpreadsheetError("The file holds no rows.", where=name, fix="Choose a batch report, as CSV or XLSX.")
    header = _unique([unsafe_cell(cell).strip() for cell in rows[0]])
    missing = [column for column in EXPORT_COLUMNS if column not in header]
    if len(missing) == len(EXPORT_COLUMNS):
        raise SpreadsheetError(
            f"The first row names none of the columns of a results table ({', '.join(EXPORT_COLUMNS)}).",
            where=name,
            fix="Choose a batch report, or put the spreadsheet into the drops folder to have it named.",
        )
    width = len(header)
    body = [[unsafe_cell(cell) for cell in [*cells, *[""] * width][:width]] for cells in rows[1:]]
    counted = Counter(row[header.index(LABEL)] for row in body) if LABEL in header else Counter()
    return ForeignResults(
        header=header,
        rows=body,
        missing=missing,
        further=[column for column in header if column and column not in EXPORT_COLUMNS],
        labels=dict(counted.most_common()),
    )


def _unique(names: list[str]) -> list[str]:
    """Number the names that are empty or come again, so that no column hides another."""
    found: list[str] = []
    for place, name in enumerate(names, 1):
        usable = name or f"column {place}"
        found.append(usable if usable not in found else f"{usable} ({place})")
    return found


def with_label(results: ForeignResults, label: str | None) -> list[list[str]]:
    """Return the rows with a final prediction; all where None."""
    if label is None:
        return results.rows
    column = results.header.index(LABEL)
    return [row for row in results.rows if row[column] == label]
