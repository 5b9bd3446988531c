"""Predictions for people: one CSV and one XLSX per drop, and notes on drops; what the files say is in `export_table`.

What fails for one drop is that drop's failure: all others are written, and one error at the end names each. How a cell
is kept from being run as a formula is in `storage.csv_cells`.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from meter_pipeline.batches.export_table import DECIMALS, export_table, with_reviewed_label
from meter_pipeline.errors import MeterError, StorageError, storage_errors
from meter_pipeline.labels import DECIDING_ACTIONS, DropStatus, counted
from meter_pipeline.storage.csv_cells import Cell, csv_bytes
from meter_pipeline.storage.files import sha256_of, write_bytes
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import EXPORTS_NOTE, Layout
from meter_pipeline.storage.notes import read_note, write_note
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS, REVIEWED_IMAGES
from meter_pipeline.storage.xlsx import workbook_bytes

MANIFEST = EXPORTS_NOTE
"""What was written last: of each drop a digest of what its files were made from, and the SHA-256 of each file."""
ROWS = "rows"
Noted = dict[str, str]
"""What is noted of a drop's export: the digest under `ROWS`, a file's SHA-256 under its ending."""
FORMAT_VERSION = "4"
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


@dataclass(frozen=True)
class DropExport:
    """What the export of a drop is made from.

    Attributes:
        drop: its name.
        digest: changes if anything of it does.
        read: reads rows of `batch_predictions`, with what people said (`with_reviewed_label`), and `SHEET_COLUMNS` of
            `drop_rows`.
    """

    drop: str
    digest: str
    read: Callable[[], tuple[pd.DataFrame, pd.DataFrame]]


def export_drops(layout: Layout) -> ExportSummary:
    """Write the exports of every drop in the lake whose rows changed; see `write_exports`. The others are not read."""
    lake = layout.lake
    for spec in (DROP_ROWS, BATCH_PREDICTIONS):
        lake.divide(spec)
    reviewed = lake.frame(REVIEWED_IMAGES, ["image_id", "action", "label"])
    said = {drop: _digest_of_words(words) for drop, words in _words_by_drop(lake, reviewed)}
    rows, named = lake.parts(DROP_ROWS), lake.parts(BATCH_PREDICTIONS)

    def read(drop: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        predictions = lake.read_parts(BATCH_PREDICTIONS, [drop]).to_pandas()
        sheet = lake.read_parts(DROP_ROWS, [drop], SHEET_COLUMNS).to_pandas()
        return with_reviewed_label(predictions, reviewed), sheet

    exports = []
    for drop in sorted(named):
        made_from = [named[drop].digest, rows[drop].digest if drop in rows else "", said.get(drop, "")]
        exports.append(DropExport(drop, " ".join(made_from), partial(read, drop)))
    return write_exports(exports, lake.frame(DROPS), layout.batch_reports)


def _words_by_drop(lake: Lake, reviewed: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the drops of photos that people decided on, with what they said: columns image_id, action and label."""
    words = reviewed[reviewed["action"].isin([*DECIDING_ACTIONS])]
    if len(words):
        decided_on = pc.field("image_id").isin(words["image_id"].tolist())
        places = lake.frame(BATCH_PREDICTIONS, ["drop", "image_id"], where=decided_on).drop_duplicates()
        for drop, of_drop in places.merge(words, on="image_id").groupby("drop"):
            yield str(drop), of_drop.drop(columns="drop")


def _digest_of_words(words: pd.DataFrame) -> str:
    return hashlib.sha256(words.sort_values("image_id").to_json(orient="values").encode()).hexdigest()[:32]


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


def write_exports(exports: Sequence[DropExport], drops: pd.DataFrame, folder: Path) -> ExportSummary:
    """Write `<drop>.csv` and `<drop>.xlsx` for every drop whose rows changed, and notes.

    A refused drop has the note `<drop>_REFUSED.txt`, one with URLs that were not taken `<drop>_PASSED_OVER.txt`.

    Args:
        exports: one per drop that has predictions, by drop.
        drops: table `drops`.
        folder: `data/reports/batches`.

    Raises:
        MeterError: files of some drops could not be written, for example because they are open in Excel; all others
            are written.
        StorageError: the disk is full or read-only, or the folder cannot be made.
    """
    if len(exports) or len(drops):
        with storage_errors(folder):
            make_private(folder)
    manifest = _read_manifest(folder)
    before = dict(manifest)
    failures: list[str] = []
    written = 0
    try:
        for export in exports:
            with _noting(folder / f"{export.drop}.csv", failures):
                written += _write_export(export, folder, manifest, failures)
    finally:
        if manifest != before:
            write_note(folder / MANIFEST, {drop: manifest[drop] for drop in sorted(manifest)})
    _write_notes(drops, folder, failures)
    if failures:
        further = f"; and {len(failures) - FAILURES_NAMED} more" if len(failures) > FAILURES_NAMED else ""
        raise MeterError(
            f"{counted(len(failures), 'file')} for people could not be written, all others are.",
            where=f"{folder}: {'; '.join(failures[:FAILURES_NAMED])}{further}",
            fix="Do what is said for each, then run again.",
        )
    return ExportSummary(len(exports), written)


def _write_export(export: DropExport, folder: Path, manifest: dict[str, Noted], failures: list[str]) -> bool:
    """Write both files of a drop if its rows changed, and note that in the manifest; return whether one was written."""
    drop, digest = export.drop, f"{FORMAT_VERSION} {export.digest}"
    targets = folder / f"{drop}.csv", folder / f"{drop}.xlsx"
    known = manifest.get(drop, {})
    if known.get(ROWS) == digest and all(path.is_file() for path in targets):
        return False
    header, table = _table_of(export)
    before, noted, written = len(failures), {ROWS: digest}, False
    contents = (lambda: csv_bytes(header, table, decimals=DECIMALS), lambda: workbook_bytes(header, table))
    for path, content in zip(targets, contents, strict=True):
        with _noting(path, failures):
            made = content()
            noted[path.suffix] = hashlib.sha256(made).hexdigest()
            # What an export does not show may have changed, and the file may be open in another program.
            if known.get(path.suffix) != noted[path.suffix] or not path.is_file():
                write_bytes(path, made)
                written = True
    if len(failures) > before:
        return False
    manifest[drop] = noted
    if written:
        _logger.info("Wrote %s.csv and .xlsx, %d rows", drop, len(table))
    return written


def _table_of(export: DropExport) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of an export."""
    rows, sheet = export.read()
    rows = rows.merge(sheet[["position", "cells_position"]], on="position", how="left").sort_values("position")
    carriers = sheet[sheet["other_columns"].notna()]
    positions = zip(carriers["position"], carriers["other_columns"], strict=True)
    return export_table(rows, {(export.drop, position): text for position, text in positions})


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
