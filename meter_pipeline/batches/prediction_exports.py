"""Predictions for people: one CSV and one XLSX per drop, and notes on drops; what the files say is in `export_table`.

What fails for one drop is that drop's failure: all others are written, and one error at the end names each. How a cell
is kept from being run as a formula is in `storage.csv_cells`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import traceback
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from meter_pipeline.batches.export_table import DECIMALS, export_table, with_reviewed_label
from meter_pipeline.errors import MeterError, StorageError, storage_errors
from meter_pipeline.labels import DropStatus, counted
from meter_pipeline.storage.csv_cells import Cell, csv_bytes
from meter_pipeline.storage.files import sha256_of, write_bytes
from meter_pipeline.storage.layout import EXPORTS_NOTE, Layout
from meter_pipeline.storage.notes import read_note, write_note
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS, REVIEWED_IMAGES
from meter_pipeline.storage.xlsx import workbook_bytes

MANIFEST = EXPORTS_NOTE
"""What was written last: of each drop the digest of its rows, and the SHA-256 of each file."""
ROWS = "rows"
Noted = dict[str, str]
"""What is noted of a drop's export: the digest of its rows under `ROWS`, a file's SHA-256 under its ending."""
FORMAT_VERSION = "3"
"""Part of every digest: a new number writes every export again."""
REFUSED_ENDING, PASSED_OVER_ENDING = "_REFUSED.txt", "_PASSED_OVER.txt"
SHEET_COLUMNS = ("drop", "position", "cells_position", "other_columns")
"""Columns of `drop_rows` that exports need."""
FAILURES_NAMED = 20
"""Files that an error names; the log names all."""
_NO_FILE_CAN_BE_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportSummary:
    """How many drops have exports, and how many of those were new.

    Attributes:
        drops: drops that have exports.
        written: drops among them whose files were written now.
    """

    drops: int
    written: int


def export_drops(layout: Layout) -> ExportSummary:
    """Write the exports of every drop in the lake whose rows changed; see `write_exports`."""
    lake = layout.lake
    predictions = with_reviewed_label(lake.frame(BATCH_PREDICTIONS), lake.frame(REVIEWED_IMAGES))
    return write_exports(predictions, lake.frame(DROP_ROWS, SHEET_COLUMNS), lake.frame(DROPS), layout.batch_reports)


def export_problems(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the exports that are not as they were written, each with what is wrong, as the end of a sentence.

    A person may have changed one: that is no damage, but cannot be told from it.

    Args:
        folder: `data/reports/batches`.
    """
    manifest = _read_manifest(folder)
    for drop, noted in sorted(manifest.items()):
        for ending in (".csv", ".xlsx"):
            path = folder / f"{drop}{ending}"
            try:
                if sha256_of(path) != noted.get(ending):
                    yield path, "does not hold what was written"
            except FileNotFoundError:
                yield path, "is missing"
            except OSError as error:
                yield path, f"cannot be read: {error.strerror or error}"


def write_exports(
    predictions: pd.DataFrame, drop_rows: pd.DataFrame, drops: pd.DataFrame, folder: Path
) -> ExportSummary:
    """Write `<drop>.csv` and `<drop>.xlsx` for every drop whose rows changed, and notes.

    A refused drop has the note `<drop>_REFUSED.txt`, one with URLs that were not taken `<drop>_PASSED_OVER.txt`.

    Args:
        predictions: table `batch_predictions`, with what people said (`with_reviewed_label`).
        drop_rows: table `drop_rows`; `SHEET_COLUMNS` of it will do.
        drops: table `drops`.
        folder: `data/reports/batches`.

    Raises:
        MeterError: files of some drops could not be written, for example because they are open in Excel; all others
            are written.
        StorageError: the disk is full or read-only, or the folder cannot be made.
    """
    if len(predictions) or len(drops):
        with storage_errors(folder):
            make_private(folder)
    manifest = _read_manifest(folder)
    sheets = drop_rows.groupby("drop").indices
    failures: list[str] = []
    count = written = 0
    try:
        for name, rows in predictions.groupby("drop", sort=True):
            drop, count = str(name), count + 1
            with _noting(folder / f"{drop}.csv", failures):
                sheet = drop_rows.iloc[sheets.get(name, [])]
                written += _write_export(drop, rows, sheet, folder, manifest, failures)
    finally:
        if written:
            write_note(folder / MANIFEST, {drop: manifest[drop] for drop in sorted(manifest)})
    _write_notes(drops, folder, failures)
    if failures:
        further = f"; and {len(failures) - FAILURES_NAMED} more" if len(failures) > FAILURES_NAMED else ""
        raise MeterError(
            f"{counted(len(failures), 'file')} for people could not be written, all others are.",
            where=f"{folder}: {'; '.join(failures[:FAILURES_NAMED])}{further}",
            fix="Do what is said for each, then run again.",
        )
    return ExportSummary(count, written)


def _write_export(
    drop: str, rows: pd.DataFrame, sheet: pd.DataFrame, folder: Path, manifest: dict[str, Noted], failures: list[str]
) -> bool:
    """Write both files of a drop if its rows changed, and note that in the manifest; return whether they did."""
    rows = rows.merge(sheet[["position", "cells_position"]], on="position", how="left").sort_values("position")
    carriers = sheet[sheet["other_columns"].notna()]
    others = {
        (drop, position): text for position, text in zip(carriers["position"], carriers["other_columns"], strict=True)
    }
    header, table = export_table(rows, others)
    digest = _digest(header, table)
    targets = folder / f"{drop}.csv", folder / f"{drop}.xlsx"
    if manifest.get(drop, {}).get(ROWS) == digest and all(path.is_file() for path in targets):
        return False
    before, noted = len(failures), {ROWS: digest}
    contents = (lambda: csv_bytes(header, table, decimals=DECIMALS), lambda: workbook_bytes(header, table))
    for path, content in zip(targets, contents, strict=True):
        with _noting(path, failures):
            written = content()
            write_bytes(path, written)
            noted[path.suffix] = hashlib.sha256(written).hexdigest()
    if len(failures) > before:
        return False
    manifest[drop] = noted
    _logger.info("Wrote %s.csv and .xlsx, %d rows", drop, len(table))
    return True


@contextmanager
def _noting(path: Path, failures: list[str]) -> Iterator[None]:
    """Turn what fails in the block into a line of `failures`, unless no other file can be written either."""
    try:
        with storage_errors(path):
            yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, StorageError) and error.__cause__ else error
        if isinstance(cause, OSError) and cause.errno in _NO_FILE_CAN_BE_WRITTEN:
            raise
        failures.append(f"{path.name}: {_what_to_do(path, cause)}")
        _logger.warning("Not written: %s", failures[-1])


def _what_to_do(path: Path, error: BaseException) -> str:
    """Return why a file could not be written, and what to do; never what is in it."""
    if isinstance(error, OSError):
        if error.errno == errno.ENAMETOOLONG or isinstance(error, FileNotFoundError):  # the latter on Windows
            return "its name is too long here; give the spreadsheet a shorter name"
        if path.is_dir():
            return "a folder is in its place; move the folder away"
        if isinstance(error, PermissionError):
            return "it is open in another program, or not ours to write; close it"
        return f"{error.strerror or type(error).__name__}; move what is there away"
    if isinstance(error, MemoryError):
        return "there is not enough memory; divide the spreadsheet"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}; report this"


def _read_manifest(folder: Path) -> dict[str, Noted]:
    note = read_note(folder / MANIFEST, what_follows="All exports are written again.")
    return {drop: noted for drop, noted in note.items() if isinstance(noted, dict)}


def _digest(header: Sequence[str], table: Sequence[Sequence[Cell]]) -> str:
    state = hashlib.sha256(json.dumps([FORMAT_VERSION, *header]).encode())
    for row in table:
        state.update(json.dumps(row).encode())
    return state.hexdigest()[:32]


def _write_notes(drops: pd.DataFrame, folder: Path, failures: list[str]) -> None:
    """Write the notes that there are to be, and remove those that do not hold any more."""
    notes = {folder / name: text for row in drops.to_dict("records") for name, text in _notes_on(row)}
    for path, text in notes.items():
        with _noting(path, failures):
            content = text.encode("utf-8", errors="replace")
            if not path.exists() or path.read_bytes() != content:
                write_bytes(path, content)
    endings = (REFUSED_ENDING, PASSED_OVER_ENDING)
    for path in [path for ending in endings for path in folder.glob(f"*{ending}")] if folder.is_dir() else []:
        if path not in notes:
            with _noting(path, failures):
                path.unlink(missing_ok=True)


def _notes_on(row: Mapping[Hashable, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and text of the notes on a drop, by its row of `drops`."""
    if row["status"] == DropStatus.REFUSED:
        yield (
            f"{row['drop']}{REFUSED_ENDING}",
            f"{row['file_name']} was not read.\n\n{row['reason']}\n\n"
            "Correct the file and save it under the same name in the drops folder, or take it away; this note then goes"
            " away.\n",
        )
    elif isinstance(row["passed_over"], str) and row["passed_over"]:
        yield (
            f"{row['drop']}{PASSED_OVER_ENDING}",
            f"{row['file_name']}: the photos' URLs were taken from {row['url_columns']}.\n\n"
            f"Not taken: {row['passed_over']}\n\n"
            "If another column is meant, name it in METER_URL_COLUMN (docs/operating.md, Spreadsheets).\n",
        )
