"""Cells of a CSV: no text is run as a formula, and every text comes back as it was."""

from __future__ import annotations

from hypothesis import given

from meter_pipeline.storage.csv_cells import csv_bytes, safe_cell, unsafe_cell
from meter_pipeline_tests.support.sheet_texts import ANY_TEXT


@given(ANY_TEXT)
def test_a_cell_is_safe_and_comes_back(text: str) -> None:
    assert unsafe_cell(safe_cell(text)) == text
    assert not safe_cell(text).startswith(("=", "+", "@", "\t", "\r", "\n")) or text == ""


def test_a_csv_has_its_mark_its_decimals_and_nothing_for_none() -> None:
    content = csv_bytes(["=name", "share"], [["a", 0.12345], ["-5", None]], decimals={"share": 2})
    assert content.decode("utf-8") == "\ufeff'=name,share\r\na,0.12\r\n-5,\r\n"
