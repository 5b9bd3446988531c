"""Exports read back, as whoever uses them in another program has to."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from meter_pipeline.storage.csv_cells import unsafe_cell


def read_export(path: Path) -> pd.DataFrame:
    """Read a CSV export: text as it was in the sheet and the tables, empty cells as empty text."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        header, *rows = csv.reader(handle)
    cells = [[unsafe_cell(cell) for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=[unsafe_cell(name) for name in header], dtype=object)
