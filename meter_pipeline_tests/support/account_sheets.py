"""A sheet of accounts with photos, and the rows that every reader has to find in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from meter_pipeline.ingest.sheets.spreadsheets import Spreadsheet

HEADER = ["Account", "Photo", "Reading", "Date", "Remark"]
ROWS: list[list[Any]] = [
    HEADER,
    ["000123", "http://photos.example/1.jpg", 12345, dt.date(2026, 5, 1), "=none"],
    [None] * 5,
    ["000124", None, 7.25, dt.date(2026, 5, 2), None],
    ["000125", "n/a", 0.1 + 0.2, dt.date(2026, 5, 3), None],
    ["000126", "http://photos.example/2.jpg", 1e15, dt.date(2026, 5, 4), "last"],
]


def check_rows(found: Spreadsheet) -> None:
    """Assert that the rows of `ROWS` were found, with their URLs, reasons and other columns."""
    rows = found.rows
    assert [row.row_number for row in rows] == [2, 4, 5, 6]
    assert [row.image_url for row in rows] == ["http://photos.example/1.jpg", "", "n/a", "http://photos.example/2.jpg"]
    assert [row.reason for row in rows] == [None, "no URL", "no URL: the cell says that there is none", None]
    assert rows[0].other_columns == {"Account": "000123", "Reading": "12345", "Date": "2026-05-01", "Remark": "=none"}
    assert [row.other_columns["Reading"] for row in rows] == ["12345", "7.25", "0.3", "1000000000000000"]
    assert found.url_columns == ["Photo"]
