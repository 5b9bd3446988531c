"""Predictions for people: one CSV and one XLSX per drop, the sheet's own columns after ours; a note for a refused drop.

How a cell is kept from being run as a formula is in `storage.csv_cells`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import DECIDING_ACTIONS, Action, DropStatus
from meter_pipeline.storage.csv_cells import Cell, csv_bytes
from meter_pipeline.storage.files import read_json, write_bytes, write_json, write_text
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS, EXPORT_COLUMNS, REVIEWED_IMAGES
from meter_pipeline.storage.xlsx import workbook_bytes

MANIFEST = ".exports.json"
"""What was written last: the digest of each drop's export."""
FORMAT_VERSION = "2"
"""Part of every digest: a new number writes every export again."""
REVIEWED_LABEL = "reviewed_label"
"""What a person said of the photo: a class, or junk; `final_prediction` stays the model's word."""
FURTHER_COLUMNS = (REVIEWED_LABEL, "calibrated_confidence", "nearest_known_class", "photo_notes")
"""Columns after `EXPORT_COLUMNS`."""
PLACE_COLUMNS = ("sheet", "row_number")
"""Columns after these: where in the spreadsheet the row is."""
REFUSED_ENDING = "_REFUSED.txt"
_IN_PERCENT = {"top1_confidence": 2, "top2_confidence": 2, "top3_confidence": 2, "calibrated_confidence": 2}
_MEASURES = {"brightness": 2, "contrast": 2, "green_ratio": 4}
DECIMALS = _IN_PERCENT | _MEASURES
"""Decimals of the numbers in an export, by column."""

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
    return write_exports(predictions, lake.frame(DROP_ROWS), lake.frame(DROPS), layout.batch_reports)


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


def write_exports(
    predictions: pd.DataFrame, drop_rows: pd.DataFrame, drops: pd.DataFrame, folder: Path
) -> ExportSummary:
    """Write `<drop>.csv` and `<drop>.xlsx` for every drop whose rows changed; `<drop>_REFUSED.txt` for refused drops.

    Args:
        predictions: table `batch_predictions`, with what people said (`with_reviewed_label`).
        drop_rows: table `drop_rows`.
        drops: table `drops`.
        folder: `data/reports/batches`.

    Raises:
        MeterError: a file could not be replaced, for example because it is open in Excel; all others are written.
        StorageError: the disk is full or not ours to write.
    """
    manifest_path = folder / MANIFEST
    manifest = _read_manifest(manifest_path)
    others = drop_rows.set_index(["drop", "position"])["other_columns"]
    written, in_the_way = 0, []
    by_drop = {str(drop): rows.sort_values("position") for drop, rows in predictions.groupby("drop", sort=True)}
    try:
        for drop, rows in by_drop.items():
            keys = pd.MultiIndex.from_frame(rows[["drop", "position"]])
            header, table = export_table(rows, others.reindex(keys).tolist())
            digest = _digest(header, table)
            targets = [folder / f"{drop}.csv", folder / f"{drop}.xlsx"]
            if manifest.get(drop) == digest and all(path.exists() for path in targets):
                continue
            try:
                write_bytes(targets[0], csv_bytes(header, table, decimals=DECIMALS))
                write_bytes(targets[1], workbook_bytes(header, table))
            except StorageError as error:
                if not isinstance(error.__cause__, PermissionError) or not any(path.exists() for path in targets):
                    raise
                in_the_way.append(error.where)
                continue
            manifest[drop] = digest
            written += 1
            _logger.info("Wrote %s.csv and .xlsx, %d rows", drop, len(table))
    finally:
        if written:
            write_json(manifest_path, {drop: manifest[drop] for drop in sorted(manifest)})
    _write_refusals(drops, folder)
    if in_the_way:
        raise MeterError(
            "Some exports could not be replaced.",
            where=", ".join(in_the_way),
            fix="Close them in Excel, then run again: all others are written.",
        )
    return ExportSummary(len(by_drop), written)


def export_table(rows: pd.DataFrame, others: Sequence[object]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and cells: our columns, the place in the sheet, then the sheet's own columns.

    Args:
        rows: rows of `batch_predictions`, with what people said.
        others: the JSON of each row's other columns in the sheet; anything that is not text stands for none.

    Returns:
        The header, and one list of cells per row. Confidences are in percent.
    """
    values = [json.loads(text) if isinstance(text, str) else {} for text in others]
    names = list(dict.fromkeys(name for row in values for name in row))
    ours = [*EXPORT_COLUMNS, *FURTHER_COLUMNS, *PLACE_COLUMNS]
    theirs = _renamed(names, ours)
    left = zip(*(_column(rows, name) for name in ours), strict=True)
    table = [[*cells, *(row.get(name, "") for name in names)] for cells, row in zip(left, values, strict=True)]
    return [*ours, *theirs], table


def _column(rows: pd.DataFrame, name: str) -> Iterator[Cell]:
    scale = 100 if name in _IN_PERCENT else 1
    for value in rows[name].tolist():
        if pd.isna(value):
            yield None
        elif name in DECIMALS:
            yield round(value * scale, DECIMALS[name])
        elif name == "row_number":
            yield int(value)
        else:
            yield str(value)


def _renamed(names: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Return the sheet's headers, marked where we have the same: an export that is dropped again keeps its columns."""
    taken = set(ours)
    result = []
    for name in names:
        new, count = name, 1
        while new in taken:
            new = f"{name} (sheet)" if count == 1 else f"{name} (sheet {count})"
            count += 1
        taken.add(new)
        result.append(new)
    return result


def _digest(header: Sequence[str], table: Sequence[Sequence[Cell]]) -> str:
    state = hashlib.sha256(json.dumps([FORMAT_VERSION, *header]).encode())
    for row in table:
        state.update(json.dumps(row).encode())
    return state.hexdigest()[:32]


def _read_manifest(path: Path) -> dict[str, str]:
    """Return what was written last; a broken manifest only means that everything is written again."""
    try:
        content = read_json(path)
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_refusals(drops: pd.DataFrame, folder: Path) -> None:
    """Write a note for every refused drop, and remove those of drops that are not refused any more."""
    refused = drops[drops["status"] == DropStatus.REFUSED]
    notes = {
        folder / f"{row['drop']}{REFUSED_ENDING}": f"{row['file_name']} was not read.\n\n{row['reason']}\n\n"
        "Correct the file and save it under the same name in the drops folder; this note then goes away.\n"
        for row in refused.to_dict("records")
    }
    for path, text in notes.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
    for path in folder.glob(f"*{REFUSED_ENDING}") if folder.is_dir() else ():
        if path not in notes:
            path.unlink(missing_ok=True)
