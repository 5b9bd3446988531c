"""Results made elsewhere: opened whatever their form, missing columns named, refused where they are not results."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meter_pipeline.dashboard.browsing.foreign_results import open_results, with_label
from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.storage.csv_cells import csv_bytes
from meter_pipeline.storage.tables import EXPORT_COLUMNS
from meter_pipeline.storage.xlsx import workbook_bytes

ROW = ["https://a/1.jpg", "UNKNOWN", "X", 40.0, "Y", 30.0, "Z", 20.0, 99.5, 30.0, 0.1, "=unsure"]


@pytest.mark.parametrize(("ending", "write"), [("csv", csv_bytes), ("xlsx", workbook_bytes)])
def test_our_own_reports_have_every_column(ending: str, write: Callable[..., bytes]) -> None:
    results = open_results(f"june.{ending}", write([*EXPORT_COLUMNS, "Account"], [[*ROW, "007"], [*ROW, "008"]]))
    assert (results.missing, results.further) == ([], ["Account"])
    assert results.labels == {"UNKNOWN": 2}
    assert [row[-2:] for row in results.rows] == [["=unsure", "007"], ["=unsure", "008"]]


def test_missing_columns_are_named_in_our_order_and_short_rows_filled() -> None:
    results = open_results(
        "old.csv", b"final_prediction;image_url;note\nX;https://a/1.jpg\nUNKNOWN;https://a/2.jpg;n\n"
    )
    assert results.missing == [name for name in EXPORT_COLUMNS if name not in ("final_prediction", "image_url")]
    assert with_label(results, "X") == [["X", "https://a/1.jpg", ""]]
    assert with_label(results, None) == results.rows


def test_columns_without_a_name_or_with_the_same_one_all_stay() -> None:
    results = open_results("old.csv", b"final_prediction,note,,note\nX,a,b,c\n")
    assert results.header == ["final_prediction", "note", "column 3", "note (4)"]
    assert results.rows == [["X", "a", "b", "c"]]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x00\x01\x02\x03" * 50, b"%PDF-1.4 no table at all"])
def test_what_is_no_results_table_is_refused(content: bytes) -> None:
    with pytest.raises(SpreadsheetError):
        open_results("some.csv", content)
