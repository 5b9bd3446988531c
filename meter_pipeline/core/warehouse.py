"""`data/warehouse.duckdb`: a view over every table of the lake, always current, opened read-only by everyone."""

from __future__ import annotations

import pandas as pd

from meter_pipeline.core.layout import Layout


def build_warehouse(layout: Layout) -> dict[str, int]:
    """Write the warehouse anew and return the rows behind each view.

    Raises:
        StorageError: the disk is full or not ours to write.
        MeterError: another program holds the file open (Windows).
    """
    raise NotImplementedError


def query(layout: Layout, sql: str) -> pd.DataFrame:
    """Run a query on a read-only connection to the warehouse.

    Raises:
        MeterError: there is no warehouse yet, or the query is not valid.
    """
    raise NotImplementedError
