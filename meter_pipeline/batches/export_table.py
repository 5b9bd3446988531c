"""What an export says: our columns of each row, where the row is in its sheet, then the sheet's own columns.

A sheet row with several URLs is several rows here, which share its other cells; their JSON is kept, and parsed, once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from meter_pipeline.labels import DECIDING_ACTIONS, Action
from meter_pipeline.storage.csv_cells import Cell
from meter_pipeline.storage.tables import EXPORT_COLUMNS
from meter_pipeline.storage.xlsx import MAX_COLUMNS

REVIEWED_LABEL = "reviewed_label"
"""What a person said of the photo: a class, or junk; `final_prediction` stays the model's word."""
FURTHER_COLUMNS = (REVIEWED_LABEL, "calibrated_confidence", "nearest_known_class", "photo_notes")
"""Columns after `EXPORT_COLUMNS`."""
PLACE_COLUMNS = ("sheet", "row_number")
"""Columns after these: where in the spreadsheet the row is."""
OURS = (*EXPORT_COLUMNS, *FURTHER_COLUMNS, *PLACE_COLUMNS)
REST = "further columns"
"""Header of the sheet's columns that have no column of their own, as JSON; see `_with_a_column`."""
REPEATED_CHARACTERS = 1_000
"""A longer text stands beside the first URL of its sheet row alone: beside each it could be gigabytes."""
REPEATED_ROW_CHARACTERS = 4_000
"""So does what stands to the right of so much text in one row."""
ANY_CELLS = 2_000_000
"""Cells of the sheet's own columns that an export may have in any case; see `_allowed`."""
MANY_CELLS = 40_000_000
TIMES_AS_MANY = 20
"""Times as many cells as the sheet has: several URLs in a row, and columns that other sheets have not."""
_IN_PERCENT = {"top1_confidence": 2, "top2_confidence": 2, "top3_confidence": 2, "calibrated_confidence": 2}
_MEASURES = {"brightness": 2, "contrast": 2, "green_ratio": 4}
DECIMALS = _IN_PERCENT | _MEASURES
"""Decimals of the numbers in an export, by column."""

SheetRow = tuple[str, int]
"""Drop, and position of the row that carries the cells (`cells_position`)."""


def with_reviewed_label(predictions: pd.DataFrame, reviewed: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions with what people said of the photos in the column `reviewed_label`; null where nothing.

    Args:
        predictions: table `batch_predictions`.
        reviewed: table `reviewed_images`.
    """
    said = {
        image_id: label if action == Action.NAME else Action.JUNK.value
        for image_id, action, label in zip(reviewed["image_id"], reviewed["action"], reviewed["label"], strict=True)
        if action in DECIDING_ACTIONS
    }
    labels = [said.get(image_id) for image_id in predictions["image_id"]]
    return predictions.assign(**{REVIEWED_LABEL: pd.Series(labels, predictions.index, dtype=object)})


def export_table(rows: pd.DataFrame, others: Mapping[SheetRow, object]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and cells: our columns, the place in the sheet, then the sheet's own columns.

    Args:
        rows: rows of `batch_predictions`, with what people said, and with `cells_position` of `drop_rows`.
        others: the JSON of the other columns, by the drop and position of who carries it; what is no text stands for
            none.

    Returns:
        The header, and one list of cells per row. Confidences are in percent.
    """
    sheet_rows = _sheet_rows(rows)
    cells = {key: _parsed(others.get(key)) for key in dict.fromkeys(sheet_rows)}
    names, rest = _with_a_column(cells, len(rows))
    header = [*OURS, *_renamed([*names, REST] if rest else names)]
    ours = zip(*(_column(rows, name) for name in OURS), strict=True)
    shown: dict[SheetRow, list[str] | None] = {}
    table: list[list[Cell]] = []
    for left, key in zip(ours, sheet_rows, strict=True):
        if key not in shown:
            theirs = [cells[key].get(name, "") for name in names]
            table.append([*left, *theirs, *([_as_json(cells[key], rest)] if rest else [])])
            shown[key] = None
            continue
        again = shown[key]
        if again is None:
            again = shown[key] = [*_repeated(cells[key].get(name, "") for name in names), *([""] if rest else [])]
        table.append([*left, *again])
    return header, table


def _sheet_rows(rows: pd.DataFrame) -> list[SheetRow]:
    """Return who carries the cells of each row; a row that names nobody has its own."""
    carriers = rows["cells_position"].where(rows["cells_position"].notna(), rows["position"])
    return list(zip(rows["drop"].tolist(), carriers.astype("int64").tolist(), strict=True))


def _parsed(text: object) -> dict[str, str]:
    return json.loads(text) if isinstance(text, str) else {}


def _with_a_column(cells: Mapping[SheetRow, Mapping[str, str]], rows: int) -> tuple[list[str], frozenset[str]]:
    """Return the headers that get a column of their own, and those that do not.

    A few rows with thousands of columns would give all other rows thousands of empty cells: where there are too many,
    the columns that most sheet rows have come first.
    """
    counts = Counter(name for row in cells.values() for name in row)
    room = min(_allowed(counts.total()) // max(rows, 1), MAX_COLUMNS - len(OURS))
    if len(counts) <= room:
        return list(counts), frozenset()
    kept = {name for name, _ in counts.most_common(max(room - 1, 0))}
    return [name for name in counts if name in kept], frozenset(counts.keys() - kept)


def _allowed(present: int) -> int:
    """Return how many cells an export may have for the sheets' own columns, by how many the sheets have."""
    return max(ANY_CELLS, min(TIMES_AS_MANY * present, MANY_CELLS), 2 * present)


def _repeated(cells: Iterable[str]) -> Iterator[str]:
    """Yield the cells of a sheet row as they stand beside its second URL and the ones after it."""
    room = REPEATED_ROW_CHARACTERS
    for text in cells:
        room -= len(text) if len(text) <= REPEATED_CHARACTERS else 0
        yield text if len(text) <= REPEATED_CHARACTERS and room >= 0 else ""


def _as_json(row: Mapping[str, str], names: frozenset[str]) -> str:
    left = {name: text for name, text in row.items() if text and name in names}
    return json.dumps(left, ensure_ascii=False) if left else ""


def _column(rows: pd.DataFrame, name: str) -> list[Cell]:
    values, missing = rows[name].tolist(), rows[name].isna().tolist()
    cells = zip(values, missing, strict=True)
    if name in DECIMALS:
        scale, places = 100 if name in _IN_PERCENT else 1, DECIMALS[name]
        return [None if is_missing else round(value * scale, places) for value, is_missing in cells]
    if name == "row_number":
        return [None if is_missing else int(value) for value, is_missing in cells]
    return [None if is_missing else str(value) for value, is_missing in cells]


def _renamed(names: Sequence[str]) -> list[str]:
    """Return the sheet's headers, marked where we have the same: an export that is dropped again keeps its columns."""
    taken = set(OURS)
    result = []
    for name in names:
        new, count = name, 1
        while new in taken:
            new = f"{name} (sheet)" if count == 1 else f"{name} (sheet {count})"
            count += 1
        taken.add(new)
        result.append(new)
    return result
