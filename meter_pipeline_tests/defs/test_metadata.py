"""What the UI is told: cells are text and never markup, private columns stay private, checks name their problems."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.defs.metadata import check_result, column_schema, frame_table, markdown_table, table_result
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.tables import DROP_ROWS, DROPS, IMAGE_INVENTORY


def test_cells_are_shown_as_text_whatever_they_hold() -> None:
    frame = pd.DataFrame({"url": ["<script>x</script>", "a|b", "![](http://h/1.png)", None], "share": [0.123456] * 4})
    rows = markdown_table(frame).value.splitlines()[2:]  # type: ignore[union-attr]
    assert rows == [
        "| \\<script\\>x\\</script\\> | 0.1235 |",
        "| a\\|b | 0.1235 |",
        "| \\!\\[\\](http:\u2060//h/1.png) | 0.1235 |",  # parted by what nobody sees: no link
        "|  | 0.1235 |",
    ]


def test_a_long_table_says_how_many_rows_are_left_out() -> None:
    assert (frame_table(pd.DataFrame({"n": range(35)})).value or "").endswith("… and 5 more")


def test_the_preview_leaves_out_what_a_sheet_says_of_people(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    row = {"drop": "may", "position": 0, "image_url": "http://h/1.jpg", "other_columns": '{"Name": "R. Das"}'}
    reason = "Redirected to http://u:pw@h/x?sig=abc"
    frame = pd.DataFrame([{**row, "reason": reason}]).reindex(columns=list(DROP_ROWS.columns))
    lake.replace(DROP_ROWS, frame)
    result = table_result(lake, DROP_ROWS, metadata={"rows": frame_table(frame)})
    assert result.metadata is not None
    assert "may" in str(result.metadata["preview"])
    assert not any(word in str(result.metadata) for word in ("h/1.jpg", "Das", "pw", "abc"))
    assert result.metadata["dagster/row_count"] == 1


def test_a_table_is_described_with_its_key_and_the_tables_written_beside_it() -> None:
    shown = column_schema(DROP_ROWS, DROPS)
    assert set(shown) == {"dagster/column_schema", "dagster/table_name", "columns of drops"}
    assert shown["dagster/column_schema"].constraints.other == ["key: drop, position"]
    unique = [c.name for c in column_schema(IMAGE_INVENTORY)["dagster/column_schema"].columns if c.constraints.unique]
    assert unique == ["path"]


def test_a_check_passes_without_problems_and_names_the_first_ones() -> None:
    assert check_result([]).passed
    failed = check_result([f"Problem {n}." for n in range(9)])
    assert not failed.passed
    assert failed.description == "Problem 0.; Problem 1.; Problem 2.; Problem 3.; Problem 4."
