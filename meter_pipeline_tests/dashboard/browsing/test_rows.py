"""Rows of drops: every filter, orders and pages, one row with all there is, the filtered rows as a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook

from meter_pipeline.dashboard.browsing.rows import (
    RowFilter,
    count_rows,
    export_rows,
    label_counts,
    measure_ranges,
    open_row,
    page_of_rows,
)
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, EXPORT_COLUMNS
from meter_pipeline_tests.support.exports import read_export
from meter_pipeline_tests.support.two_drops import write_two_drops


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_two_drops(layout)
    return layout


def positions(layout: Layout, **wanted: Any) -> list[int]:
    rows = page_of_rows(layout, RowFilter(**wanted), page=0, size=100)
    assert count_rows(layout, RowFilter(**wanted)) == len(rows)
    return [row.position for row in rows]


def test_labels_and_measures_to_filter_by(layout: Layout) -> None:
    assert label_counts(layout) == {"BLUE": 2, "ERROR": 1, "UNKNOWN": 1}
    assert list(label_counts(layout, "june")) == ["BLUE", "ERROR", "UNKNOWN"]
    assert label_counts(layout, "july") == {}
    assert measure_ranges(layout)["sharpness"] == (0.0, 300.0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [2, 1, 0, 3]),
        ({"order": "sure"}, [0, 1, 2, 3]),
        ({"order": "sheet"}, [0, 1, 2, 3]),
        ({"drop": "july"}, []),
        ({"labels": ("UNKNOWN", "ERROR")}, [2, 3]),
        ({"rules": ("threshold",)}, [2]),
        ({"confidence": (0.5, 1.0)}, [1, 0]),
        ({"confidence": (0.0, 0.5)}, [2]),
        ({"quality": {"sharpness": (50.0, 150.0)}}, [1]),
        ({"quality": {"brightness": (51.0, 52.0), "sharpness": (0.0, 150.0)}}, [1]),
        ({"search": "HOST/2"}, [2]),
        ({"search": "=001"}, [1]),
        ({"search": "GRÖSSE"}, []),
        ({"search": "GRÖß"}, [1]),
        ({"search": "%"}, []),
        ({"search": 'say "x" \\ y'}, [3]),
        ({"search": "account"}, []),
    ],
)
def test_filters_and_orders(layout: Layout, wanted: dict[str, Any], found: list[int]) -> None:
    assert positions(layout, **wanted) == found


def test_pages_together_are_all_rows_once(layout: Layout) -> None:
    pages = [page_of_rows(layout, RowFilter(), page=page, size=3) for page in range(2)]
    assert [row.position for page in pages for row in page] == [2, 1, 0, 3]


def test_what_is_not_a_measure_is_refused(layout: Layout) -> None:
    with pytest.raises(ValueError, match="not a measure"):
        count_rows(layout, RowFilter(quality={"brightness; DROP TABLE x": (0, 1)}))


def test_an_opened_row_has_its_photo_scores_cells_and_cluster(layout: Layout) -> None:
    row = open_row(layout, "june", 2)
    assert row is not None
    assert row.sheet_cells == {"Account": "=002", "Remark": "<b>*x*</b>"}
    assert row.cluster_id == 7
    assert row.photo is not None
    assert row.photo["sharpness"] == 200.0
    assert [name for name, _ in row.scores] == ["GREY", "BLUE"]
    assert sum(share for _, share in row.scores) == pytest.approx(1)
    without = open_row(layout, "june", 3)
    assert without is not None
    assert (without.cluster_id, without.scores) == (None, [])
    assert open_row(layout, "june", 99) is None


def test_filtered_rows_as_files_have_the_columns_of_a_report_and_run_no_formula(layout: Layout, tmp_path: Path) -> None:
    wanted = RowFilter(labels=("BLUE",))
    (tmp_path / "rows.csv").write_bytes(export_rows(layout, wanted, "csv"))
    assert "'=001" in (tmp_path / "rows.csv").read_text(encoding="utf-8-sig")
    rows = read_export(tmp_path / "rows.csv")
    assert list(rows.columns[: len(EXPORT_COLUMNS)]) == list(EXPORT_COLUMNS)
    assert rows["top1_confidence"].tolist() == ["60.00", "90.00"]
    assert rows["Account"].tolist() == ["=001", "=000"]
    book = load_workbook(io.BytesIO(export_rows(layout, wanted, "xlsx")))
    header, *body = book.worksheets[0].iter_rows(values_only=True)
    assert [row[header.index("Account")] for row in body] == ["=001", "=000"]


@pytest.fixture
def shared(layout: Layout) -> Layout:
    """The first three rows of June are three URLs of one sheet row; the fourth is from before, and carries its own."""
    rows = layout.lake.frame(DROP_ROWS).sort_values("position", ignore_index=True)
    rows["other_columns"] = [json.dumps({"Account": "77", "Remark": "long " * 300}), None, None, '{"Account": "88"}']
    rows["cells_position"] = pd.array([0, 0, 0, None], dtype="Int64")
    layout.lake.replace(DROP_ROWS, rows)
    return layout


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"search": "77"}, [2, 1, 0]),
        ({"search": "88"}, [3]),
        ({"search": "77", "labels": ("BLUE",)}, [1, 0]),
        ({"search": "host/1"}, [1]),
    ],
)
def test_the_cells_of_a_sheet_row_are_found_for_each_of_its_urls(
    shared: Layout, wanted: dict[str, Any], found: list[int]
) -> None:
    assert positions(shared, **wanted) == found


def test_a_later_url_of_a_sheet_row_opens_with_its_cells(shared: Layout) -> None:
    accounts = []
    for position in range(4):
        row = open_row(shared, "june", position)
        assert row is not None
        accounts.append(row.sheet_cells["Account"])
    assert accounts == ["77", "77", "77", "88"]


@pytest.mark.parametrize("wanted", [RowFilter(), RowFilter(labels=("UNKNOWN", "ERROR")), RowFilter(search="8")])
def test_filtered_rows_as_a_file_have_the_cells_of_their_sheet_row(
    shared: Layout, tmp_path: Path, wanted: RowFilter
) -> None:
    (tmp_path / "rows.csv").write_bytes(export_rows(shared, wanted, "csv"))
    rows = read_export(tmp_path / "rows.csv")
    found = [row.position for row in page_of_rows(shared, wanted, page=0, size=100)]
    assert rows["Account"].tolist() == ["88" if position == 3 else "77" for position in found]
    if "Remark" in rows:
        assert [bool(text) for text in rows["Remark"]] == [number == 0 for number in range(len(found))]
