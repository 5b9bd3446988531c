"""The folder people drop spreadsheets into: what is there, what is whole, and the rows of every file ever read.

A file is known by its name and content: what was read is not read again, new content under an old name replaces the
rows, and a file that is taken away leaves its rows. How a file is read is in `spreadsheets`.
"""

from __future__ import annotations

import hashlib
import json
import logging
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
    drops, rows = register_drops(
        layout.drops, layout.lake.frame(DROPS), layout.lake.read(DROP_ROWS), choice or SheetSettings()
    )
    # Rows first: a run killed between the two reads the files again and comes to the same rows.
    if layout.lake.exists(DROP_ROWS) is False or not rows.equals(layout.lake.read(DROP_ROWS)):
        layout.lake.replace(DROP_ROWS, rows)
    layout.lake.replace(DROPS, drops)
    return drops


def register_drops(
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
    read_as = _read_as(choice)
    known = {str(row["file_name"]): row for row in _records(drops)}
    new_rows: dict[str, pa.Table] = {}
    taken = {str(row["drop"]).casefold() for row in known.values()}
    there = {file.name for file in files}
    for file in files:
        before = known.get(file.name)
        try:
            content = (folder / file.name).read_bytes() if file.bytes else b""
        except FileNotFoundError:
            continue
        except OSError as error:  # opened by another program; tried again on the next run
            drop = str(before["drop"]) if before else _free_name(file.name, taken)
            known[file.name] = _refused_row(
                drop, file, None, None, before, f"The file cannot be read: {error.strerror}."
            )
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        if before and (before["sha256"], before["read_as"]) == (sha256, read_as):
            continue
        drop = str(before["drop"]) if before else _free_name(file.name, taken)
        try:
            sheets = read_spreadsheet(folder / file.name, choice, content=content)
        except SpreadsheetError as error:
            _logger.warning("Refused %s: %s", file.name, error)
            known[file.name] = _refused_row(drop, file, sha256, read_as, before, str(error))
            continue
        new_rows[drop] = _table(drop, sheets)
        known[file.name] = _read_row(drop, file, sha256, read_as, sheets)
        _logger.info("Read %s: %d rows, %d of them refused", file.name, len(sheets.rows), len(sheets.refused))
    for name in [name for name, row in known.items() if row["status"] == DropStatus.REFUSED and name not in there]:
        if not known[name]["rows"]:
            del known[name]
        else:
            known[name] |= {"status": DropStatus.READ, "reason": None, "sha256": None}
    frame = pd.DataFrame(list(known.values()), columns=list(DROPS.columns)).sort_values("drop", ignore_index=True)
    if new_rows:
        replaced = pa.array(list(new_rows), pa.string())
        kept = rows.filter(pc.invert(pc.is_in(rows["drop"], value_set=replaced)))
        rows = pa.concat_tables([kept, *new_rows.values()]).sort_by([("drop", "ascending"), ("position", "ascending")])
    return frame, rows


def drop_problems(layout: Layout) -> list[str]:
    """Return the files that are in the folder now and could not be read, each with the reason."""
    there = {file.name for file in listing(layout.drops)}
    drops = layout.lake.frame(DROPS, ["drop", "file_name", "status", "reason"]).sort_values("drop")
    refused = drops[(drops["status"] == DropStatus.REFUSED) & drops["file_name"].isin(there)]
    return [f"{name}: {reason}" for name, reason in zip(refused["file_name"], refused["reason"], strict=True)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts, missing values as None."""
    columns = {str(name): [None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _read_as(choice: SheetSettings) -> str:
    """What else the rows depend on: the reader, and what the settings say of sheet and column."""
    return json.dumps([READER_VERSION, choice.url_column, choice.sheet, choice.max_rows], ensure_ascii=False)


def _free_name(file_name: str, taken: set[str]) -> str:
    """A drop's name in the reports, no two alike on a file system that ignores case; remembered in `taken`."""
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


def _read_row(drop: str, file: DropFile, sha256: str, read_as: str, sheets: Spreadsheet) -> dict[str, Any]:
    return {
        "drop": drop,
        "file_name": file.name,
        "sha256": sha256,
        "bytes": file.bytes,
        "sheets": ", ".join([*sheets.sheets, *sheets.skipped]),
        "url_columns": ", ".join(sheets.url_columns),
        "rows": len(sheets.rows),
        "refused_rows": len(sheets.refused),
        "read_as": read_as,
        "status": DropStatus.READ,
        "reason": None,
    }


def _refused_row(
    drop: str, file: DropFile, sha256: str | None, read_as: str | None, before: dict[str, Any] | None, reason: str
) -> dict[str, Any]:
    earlier = before or {"rows": 0, "refused_rows": 0}
    if earlier["rows"]:
        reason += " The rows of the version read before stand."
    row: dict[str, Any] = dict.fromkeys(DROPS.columns) | earlier
    return row | {
        "drop": drop,
        "file_name": file.name,
        "sha256": sha256,
        "bytes": file.bytes,
        "read_as": read_as,
        "status": DropStatus.REFUSED,
        "reason": reason,
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
