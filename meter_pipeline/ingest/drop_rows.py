"""The rows of every spreadsheet that was ever dropped, kept up to date with the folder people drop them into.

A file is known by its name and content: what was read is not read again, new content under an old name replaces the
rows, and the rows of a file that is taken away stay. How a file is read is in `sheets.spreadsheets`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from meter_pipeline.errors import MeterError, SpreadsheetError
from meter_pipeline.ingest.drop_folder import DropFile, listing
from meter_pipeline.ingest.drop_names import adopted_drop_name, alike, unique_drop_name
from meter_pipeline.ingest.erased_rows import ErasedRows
from meter_pipeline.ingest.sheets.accepted_files import MAX_FILE_BYTES, READER_VERSION
from meter_pipeline.ingest.sheets.reading.process import (
    CostlySpreadsheetError,
    InterruptedReadingError,
    ReadingProcess,
    ReadSheets,
    UnexpectedReadingError,
)
from meter_pipeline.ingest.sheets.reading.protocol import ROWS_SCHEMA, open_file, whole_characters
from meter_pipeline.labels import DropStatus
from meter_pipeline.settings import DownloadSettings, SheetSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import conform
from meter_pipeline.storage.tables import DROP_ROWS, DROPS

_logger = logging.getLogger(__name__)


def take_in_drops(
    layout: Layout, choice: SheetSettings | None = None, downloads: DownloadSettings | None = None
) -> pd.DataFrame:
    """Read the files that are new or changed, write `drops` and `drop_rows`, and return `drops`.

    Each file is read in a process of its own: what it costs, and what goes wrong in it, refuses that file alone.

    Args:
        layout: where the folder and the tables are.
        choice: sheet and column, where a person knows better, how many rows are taken, and what reading may cost.
        downloads: how photos are fetched; where it is in doubt which columns are meant, a few of their URLs are looked
            at with it. If None, nothing is fetched, and the file alone decides.

    Raises:
        StorageError: the folder or the tables cannot be used.
        MeterError: the list of what was erased is damaged.
    """
    lake, erased = layout.lake, ErasedRows.read(layout)
    lake.shard_files(DROP_ROWS.name)  # what is damaged is said before anything is read
    lake.divide(DROP_ROWS)
    known, there = lake.frame(DROPS), _RowsBefore(lake)
    drops, new = _register_drops(layout.drops, known, there, choice or SheetSettings(), downloads, erased)
    # Rows first: a run killed between the two reads the files again and produces the same rows.
    if new or not lake.exists(DROP_ROWS):
        lake.replace_parts(DROP_ROWS, ((rows, {}) for _, rows in sorted(new.items())), kept=there.counts.keys() - new)
    if not lake.exists(DROPS) or not conform(DROPS, drops).equals(lake.read(DROPS)):
        lake.replace(DROPS, drops)
    return drops


class _RowsBefore:
    """The rows that there are, by drop; only those that are asked for are read.

    Args:
        lake: the tables.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.counts = {name: part.rows for name, part in lake.parts(DROP_ROWS).items()}

    def of(self, drop: str) -> pa.Table:
        """Return the rows of a drop, in order."""
        return self._lake.read_parts(DROP_ROWS, [drop])


@dataclass(frozen=True)
class _Reading:
    """What reading a file gave.

    Attributes:
        sha256: of the file's bytes; None if they could not be read, or the file is to be read again in any case.
        read_as: the reader and its settings (`_read_as`); None if the bytes could not be read.
        sheets: what was read; None if the file was refused.
        rows: its rows, as in `drop_rows`; None if the file was refused.
        refused: why it was refused.
    """

    sha256: str | None = None
    read_as: str | None = None
    sheets: ReadSheets | None = None
    rows: pa.Table | None = None
    refused: str = ""


def _register_drops(
    folder: Path,
    drops: pd.DataFrame,
    rows: _RowsBefore,
    choice: SheetSettings,
    downloads: DownloadSettings | None,
    erased: ErasedRows,
) -> tuple[pd.DataFrame, dict[str, pa.Table]]:
    """Bring the tables up to date with the folder.

    A file that cannot be read is a row with status `refused` and the reason; rows of what the same name held before
    stay. A refused file that is taken away is forgotten.

    Args:
        folder: `data/drops`.
        drops: table `drops` as it was.
        rows: rows of `drop_rows` as they were.
        choice: see `take_in_drops`.
        downloads: see `take_in_drops`.
        erased: what does not come back.

    Returns:
        Table `drops` as it is now, by drop, and the rows of drops that are new or others than before, by position.
    """
    files = listing(folder)
    known = {str(row["file_name"]): row for row in _records(drops)}
    _forget_lost(known, rows.counts, {file.shown for file in files})
    taken = {alike(drop) for drop in [*rows.counts, *(str(row["drop"]) for row in known.values())]}
    nobodys = {drop: rows.of(drop) for drop in rows.counts.keys() - {row["drop"] for row in known.values()}}
    new_rows: dict[str, pa.Table] = {}
    with ReadingProcess(choice) as process:
        for file in files:
            before = known.get(file.shown)
            reading = _reading(folder / file.name, file, before, process, choice, downloads, erased)
            if reading is None:
                continue
            drop = _name(file, before, reading, nobodys, taken)
            if reading.sheets is None or reading.rows is None:
                known[file.shown] = _refused_row(drop, file, reading, before)
                if before is None or before["reason"] != known[file.shown]["reason"]:
                    _logger.warning("Refused %s: %s", file.shown, reading.refused)
            else:
                known[file.shown] = _read_row(drop, file, reading, reading.sheets) | row_counts(reading.rows)
                new_rows[drop] = _of_drop(drop, reading.rows)
    _forget_refused(known, {file.shown for file in files})
    frame = pd.DataFrame(list(known.values()), columns=list(DROPS.columns)).sort_values("drop", ignore_index=True)
    return frame, {drop: new for drop, new in new_rows.items() if not new.equals(rows.of(drop))}


def _name(
    file: DropFile, before: Mapping[str, Any] | None, reading: _Reading, nobodys: dict[str, pa.Table], taken: set[str]
) -> str:
    """Return the name of a file's drop; an adopted one is taken out of `nobodys`, a new one added to `taken`."""
    if before is not None and before["rows"]:
        return str(before["drop"])
    if reading.rows is not None and (drop := adopted_drop_name(file.shown, reading.rows, nobodys)) is not None:
        del nobodys[drop]
        return drop
    return unique_drop_name(file.shown, taken) if before is None else str(before["drop"])


def _reading(
    path: Path,
    file: DropFile,
    before: dict[str, Any] | None,
    process: ReadingProcess,
    choice: SheetSettings,
    downloads: DownloadSettings | None,
    erased: ErasedRows,
) -> _Reading | None:
    """Read a file that is new, or was changed, or was read by other settings; None for any other, and if it is gone.

    Whatever goes wrong is this file's refusal.
    """
    if file.problem:
        return _Reading(refused=file.problem)
    read_as = _read_as(choice)
    sha256: str | None = None
    try:
        sha256 = _sha256(path, file)
        if before and before["sha256"] == sha256 is not None and _still_holds(before["read_as"], choice):
            return None
        sheets = _sheets(path, file, process, downloads)
        rows = erased.without(_table(sheets))
    except FileNotFoundError:
        return None
    except OSError as error:  # opened by another program; tried again in the next run
        return _Reading(refused=f"The file cannot be read: {error.strerror}.")
    except InterruptedReadingError as error:
        return _Reading(refused=_sentence(error))
    except CostlySpreadsheetError as error:
        return _Reading(sha256, _read_as(choice, error), refused=_sentence(error))
    except SpreadsheetError as error:
        if isinstance(error, UnexpectedReadingError):
            _logger.error("Reading %s failed: %s", file.shown, error.kind)
        return _Reading(sha256, read_as, refused=_sentence(error))
    except Exception as error:  # nobody knows what; it is tried again in the next run
        _logger.error("Reading %s failed: %s", file.shown, type(error).__name__)
        what = f"Reading it failed in a way that was not foreseen ({type(error).__name__})."
        return _Reading(refused=f"{what} Save it as a new .xlsx, and report it with the file.")
    _logger.info("Read %s: %d rows, %d of them refused", file.shown, sheets.rows, sheets.refused_rows)
    if rows.num_rows < sheets.rows:
        _logger.info("%d rows of %s were erased and are left out", sheets.rows - rows.num_rows, file.shown)
    return _Reading(sheets.sha256, read_as, sheets, rows)


def _sha256(path: Path, file: DropFile) -> str | None:
    """Return the SHA-256 of a file's bytes, in hex; None if it is too large to be read anyway."""
    if file.bytes > MAX_FILE_BYTES:
        return None
    with open_file(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sheets(path: Path, file: DropFile, process: ReadingProcess, downloads: DownloadSettings | None) -> ReadSheets:
    """Read a file; where it is in doubt which columns are meant, after a look at a few of their URLs."""
    if downloads is None:
        return process.read(path)
    sheets = process.read(path, only_if_sure=True)
    if not sheets.in_doubt:
        return sheets
    from meter_pipeline.ingest.web.looking import photos_behind

    looked: dict[str, bool] = {}
    try:
        looked = photos_behind(sheets.in_doubt, downloads)
    except MeterError as error:
        _logger.warning("URLs of %s were not looked at: %s", file.shown, error)
    except Exception as error:  # then the file alone decides
        _logger.warning("Looking at URLs of %s failed: %s", file.shown, type(error).__name__)
    return process.read(path, looked=looked)


def _sentence(error: SpreadsheetError) -> str:
    return whole_characters(str(error))


def _forget_lost(known: Mapping[str, dict[str, Any]], counts: Mapping[str, int], there: set[str]) -> None:
    """Have files read again whose rows are not all there: the table was damaged, and what cannot be read left out."""
    for name, row in known.items():
        if row["rows"] == counts.get(row["drop"], 0):
            continue
        row["sha256"] = None
        if name not in there:
            _logger.warning("Rows of %s are lost, and the file is not in data/drops: put it there again.", name)


def _forget_refused(known: dict[str, dict[str, Any]], there: set[str]) -> None:
    """Forget refused files that were taken away; where rows of an earlier version stand, the drop counts as read."""
    for name in [name for name, row in known.items() if row["status"] == DropStatus.REFUSED and name not in there]:
        if not known[name]["rows"]:
            del known[name]
        else:
            known[name] |= {"status": DropStatus.READ, "reason": None, "sha256": None}


def drop_problems(layout: Layout) -> list[str]:
    """Return the files that are in the folder now and could not be read, each with the reason."""
    there = {file.shown for file in listing(layout.drops)}
    drops = layout.lake.frame(DROPS, ["drop", "file_name", "status", "reason"]).sort_values("drop")
    refused = drops[(drops["status"] == DropStatus.REFUSED) & drops["file_name"].isin(there)]
    return [f"{name}: {reason}" for name, reason in zip(refused["file_name"], refused["reason"], strict=True)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dicts, missing values as None."""
    columns = {str(name): [None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _read_as(choice: SheetSettings, refused: CostlySpreadsheetError | None = None) -> str:
    """Return what the rows depend on besides the file: the reader's version, its settings, the limit that was hit."""
    parts: list[object] = [READER_VERSION, choice.url_column, choice.sheet, choice.max_rows]
    if refused is not None:
        parts += [refused.setting, refused.value]
    return json.dumps(parts, ensure_ascii=False)


def _still_holds(read_as: str | None, choice: SheetSettings) -> bool:
    """Return whether reading would come to the same again; a higher limit may let in what was refused for its cost."""
    parts = json.loads(read_as) if read_as else []
    if parts[:4] != json.loads(_read_as(choice)):
        return False
    limits = {"METER_SHEET_MEMORY_MB": choice.sheet_memory_mb, "METER_SHEET_SECONDS": choice.sheet_seconds}
    return len(parts) == 4 or limits[parts[4]] <= parts[5]


def _read_row(drop: str, file: DropFile, reading: _Reading, sheets: ReadSheets) -> dict[str, Any]:
    return {
        "drop": drop,
        "file_name": file.shown,
        "sha256": reading.sha256,
        "bytes": file.bytes,
        "sheets": _listed([*sheets.sheets, *sheets.skipped]),
        "url_columns": _listed(sheets.url_columns),
        "passed_over": _listed(sheets.passed_over) or None,
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
        "file_name": file.shown,
        "sha256": reading.sha256,
        "bytes": file.bytes,
        "read_as": reading.read_as,
        "status": DropStatus.REFUSED,
        "reason": reading.refused + still_there,
    }


def row_counts(rows: pa.Table) -> dict[str, int]:
    """Return what the table `drops` says of the number of a drop's rows."""
    return {"rows": rows.num_rows, "refused_rows": rows.num_rows - rows["reason"].null_count}


def _listed(names: list[str]) -> str:
    return whole_characters(", ".join(names))


def _table(sheets: ReadSheets) -> pa.Table:
    """Return the rows of a file as those of a drop that has no name yet."""
    rows = pa.Table.from_batches(sheets.batches, ROWS_SCHEMA)
    rows = rows.append_column("drop", pa.repeat("", rows.num_rows))
    rows = rows.append_column("position", pa.array(np.arange(rows.num_rows, dtype=np.int64)))
    return rows.select(list(DROP_ROWS.columns)).cast(DROP_ROWS.schema)


def _of_drop(drop: str, rows: pa.Table) -> pa.Table:
    place = rows.schema.get_field_index("drop")
    return rows.set_column(place, rows.schema.field(place), pa.repeat(drop, rows.num_rows))
