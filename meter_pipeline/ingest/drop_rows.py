"""The rows of every spreadsheet that was ever dropped, kept up to date with the folder people drop them into.

A file is known by its name and content: what was read is not read again, new content under an old name replaces the
rows, and the rows of a file that is taken away stay. How a file is read is in `sheets.spreadsheets`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.drop_folder import DropFile, listing
from meter_pipeline.ingest.sheets.spreadsheets import READER_VERSION, Spreadsheet, read_spreadsheet
from meter_pipeline.labels import DropStatus
from meter_pipeline.settings import SheetSettings
from meter_pipeline.storage.files import safe_name
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, DROPS

_logger = logging.getLogger(__name__)


def take_in_drops(layout: Layout, choice: SheetSettings | None = None) -> pd.DataFrame:
    """Read the files that are new or changed, write `drops` and `drop_rows`, and return `drops`.

    Args:
        layout: where the folder and the tables are.
        choice: sheet and column, where a person knows better, and how many rows are taken.

    Raises:
        StorageError: the folder or the tables cannot be used.
    """
    drops, rows = _register_drops(
        layout.drops, layout.lake.frame(DROPS), layout.lake.read(DROP_ROWS), choice or SheetSettings()
    )
    # Rows first: a run killed between the two reads the files again and produces the same rows.
    if not layout.lake.exists(DROP_ROWS) or not rows.equals(layout.lake.read(DROP_ROWS)):
        layout.lake.replace(DROP_ROWS, rows)
    layout.lake.replace(DROPS, drops)
    return drops


@dataclass(frozen=True)
class _Reading:
    """What reading a file gave.

    Attributes:
        sha256: of the file's bytes; None if they could not be read.
        read_as: the reader and its settings (`_read_as`); None if the bytes could not be read.
        sheets: its rows; None if the file was refused.
        refused: why it was refused.
    """

    sha256: str | None = None
    read_as: str | None = None
    sheets: Spreadsheet | None = None
    refused: str = ""


def _register_drops(
    folder: Path, drops: pd.DataFrame, rows: pa.Table, choice: SheetSettings
) -> tuple[pd.DataFrame, pa.Table]:
    """Bring the tables up to date with the folder.

    A file that cannot be read is a row with status `refused` and the reason; rows of what the same name held before
    stay. A refused file that is taken away is forgotten.

    Args:
        folder: `data/drops`.
        drops: table `drops` as it was.
        rows: table `drop_rows` as it was.
        choice: see `take_in_drops`.

    Returns:
        Both tables as they are now, by drop and position.
    """
    files = listing(folder)
    known = {str(row["file_name"]): row for row in _records(drops)}
    taken = {str(row["drop"]).casefold() for row in known.values()}
    new_rows: dict[str, pa.Table] = {}
    for file in files:
        before = known.get(file.name)
        reading = _read(folder / file.name, file, before, choice)
        if reading is None:
            continue
        drop = str(before["drop"]) if before else unique_drop_name(file.name, taken)
        if reading.sheets is None:
            known[file.name] = _refused_row(drop, file, reading, before)
        else:
            known[file.name] = _read_row(drop, file, reading, reading.sheets)
            new_rows[drop] = _table(drop, reading.sheets)
    _forget_refused(known, {file.name for file in files})
    frame = pd.DataFrame(list(known.values()), columns=list(DROPS.columns)).sort_values("drop", ignore_index=True)
    if new_rows:
        replaced = pa.array(list(new_rows), pa.string())
        kept = rows.filter(pc.invert(pc.is_in(rows["drop"], value_set=replaced)))
        rows = pa.concat_tables([kept, *new_rows.values()]).sort_by([("drop", "ascending"), ("position", "ascending")])
    return frame, rows


def _read(path: Path, file: DropFile, before: dict[str, Any] | None, choice: SheetSettings) -> _Reading | None:
    """Read a file that is new, or was changed, or was read by other settings; None for any other, and if it is gone."""
    read_as = _read_as(choice)
    try:
        content = path.read_bytes() if file.bytes else b""
    except FileNotFoundError:
        return None
    except OSError as error:  # opened by another program; tried again in the next run
        return _Reading(refused=f"The file cannot be read: {error.strerror}.")
    sha256 = hashlib.sha256(content).hexdigest()
    if before and (before["sha256"], before["read_as"]) == (sha256, read_as):
        return None
    try:
        sheets = read_spreadsheet(path, choice, content=content)
    except SpreadsheetError as error:
        _logger.warning("Refused %s: %s", file.name, error)
        return _Reading(sha256, read_as, refused=str(error))
    _logger.info("Read %s: %d rows, %d of them refused", file.name, len(sheets.rows), len(sheets.refused))
    return _Reading(sha256, read_as, sheets)


def _forget_refused(known: dict[str, dict[str, Any]], there: set[str]) -> None:
    """Forget refused files that were taken away; where rows of an earlier version stand, the drop counts as read."""
    for name in [name for name, row in known.items() if row["status"] == DropStatus.REFUSED and name not in there]:
        if not known[name]["rows"]:
            del known[name]
        else:
            known[name] |= {"status": DropStatus.READ, "reason": None, "sha256": None}


def drop_problems(layout: Layout) -> list[str]:
    """Return the files that are in the folder now and could not be read, each with the reason."""
    there = {file.name for file in listing(layout.drops)}
    drops = layout.lake.frame(DROPS, ["drop", "file_name", "status", "reason"]).sort_values("drop")
    refused = drops[(drops["status"] == DropStatus.REFUSED) & drops["file_name"].isin(there)]
    return [f"{name}: {reason}" for name, reason in zip(refused["file_name"], refused["reason"], strict=True)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dicts, missing values as None."""
    columns = {str(name): [None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _read_as(choice: SheetSettings) -> str:
    """Return what the rows depend on besides the file: the reader's version and its settings."""
    return json.dumps([READER_VERSION, choice.url_column, choice.sheet, choice.max_rows], ensure_ascii=False)


def unique_drop_name(file_name: str, taken: set[str]) -> str:
    """Return a drop's name in the reports; no two names are alike on a file system that ignores case.

    Args:
        file_name: of the spreadsheet.
        taken: names that other drops have, case-folded; the new one is added.
    """
    path = Path(file_name)
    stem, suffix = safe_name(path.stem, fallback="drop"), path.suffix.lstrip(".").lower()
    candidates = [stem, f"{stem}_{safe_name(suffix)}"] if suffix else [stem]
    number = 1
    while (name := candidates.pop(0)).casefold() in taken:
        if not candidates:
            number += 1
            candidates.append(f"{stem}_{number}")
    taken.add(name.casefold())
    return name


def _read_row(drop: str, file: DropFile, reading: _Reading, sheets: Spreadsheet) -> dict[str, Any]:
    return {
        "drop": drop,
        "file_name": file.name,
        "sha256": reading.sha256,
        "bytes": file.bytes,
        "sheets": ", ".join([*sheets.sheets, *sheets.skipped]),
        "url_columns": ", ".join(sheets.url_columns),
        "rows": len(sheets.rows),
        "refused_rows": len(sheets.refused),
        "read_as": reading.read_as,
        "status": DropStatus.READ,
        "reason": None,
    }


def _refused_row(drop: str, file: DropFile, reading: _Reading, before: dict[str, Any] | None) -> dict[str, Any]:
    earlier = before or {"rows": 0, "refused_rows": 0}
    still_there = " The rows of the version read before stand." if earlier["rows"] else ""
    row: dict[str, Any] = dict.fromkeys(DROPS.columns) | earlier
    return row | {
        "drop": drop,
        "file_name": file.name,
        "sha256": reading.sha256,
        "bytes": file.bytes,
        "read_as": reading.read_as,
        "status": DropStatus.REFUSED,
        "reason": reading.refused + still_there,
    }


def _table(drop: str, sheets: Spreadsheet) -> pa.Table:
    rows = sheets.rows
    others = [json.dumps(row.other_columns, ensure_ascii=False) for row in rows]
    columns = {
        "drop": [drop] * len(rows),
        "position": list(range(len(rows))),
        "sheet": [row.sheet for row in rows],
        "row_number": [row.row_number for row in rows],
        "image_url": [row.image_url for row in rows],
        "other_columns": others,
        "reason": [row.reason for row in rows],
    }
    return pa.table(columns, schema=DROP_ROWS.schema)
