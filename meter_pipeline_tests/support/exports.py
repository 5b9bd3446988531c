"""Exports written from rows in memory, and read back as whoever uses them in another program has to."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pandas as pd

from meter_pipeline.batches import prediction_exports
from meter_pipeline.batches.prediction_exports import DropExport, ExportSummary
from meter_pipeline.storage.csv_cells import unsafe_cell


def read_export(path: Path) -> pd.DataFrame:
    """Read a CSV export: text as it was in the sheet and the tables, empty cells as empty text."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        header, *rows = csv.reader(handle)
    cells = [[unsafe_cell(cell) for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=[unsafe_cell(name) for name in header], dtype=object)


def write_exports(
    predictions: pd.DataFrame, drop_rows: pd.DataFrame, drops: pd.DataFrame, folder: Path
) -> ExportSummary:
    """Write the exports of predictions, with what people said beside them."""

    def export_of(drop: str) -> DropExport:
        rows, sheet = predictions[predictions["drop"] == drop], drop_rows[drop_rows["drop"] == drop]
        digest = hashlib.sha256(repr((rows.to_dict("list"), sheet.to_dict("list"))).encode(errors="replace"))
        return DropExport(drop, digest.hexdigest(), lambda: (rows, sheet))

    exports = [export_of(drop) for drop in sorted(predictions["drop"].unique())]
    return prediction_exports.write_exports(exports, drops, folder)
