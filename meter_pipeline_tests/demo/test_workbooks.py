"""The sample workbooks: the same bytes every time, read as any drop is, and accounts keep their zeros."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from openpyxl import load_workbook

from meter_pipeline.demo.workbooks import write_east_workbook, write_north_workbook
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet

Writer = Callable[[Path, Sequence[str], random.Random], None]
LINKS = [f"http://127.0.0.1:8765/{number}.jpg" for number in range(5)]
WRITERS = pytest.mark.parametrize("write", [write_north_workbook, write_east_workbook])


@WRITERS
def test_the_links_are_read_as_those_of_any_drop(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "a.xlsx", LINKS, random.Random(1))
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [row.image_url for row in found.rows] == LINKS
    accounts = [value for row in found.rows for name, value in row.other_columns.items() if "Account" in name]
    assert len(accounts) == len(LINKS)
    assert all(account.startswith("0") for account in accounts)


@WRITERS
def test_the_same_choices_give_the_same_bytes(tmp_path: Path, write: Writer) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        write(tmp_path / name, LINKS, random.Random(1))
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_the_second_workbook_has_a_title_above_its_header(tmp_path: Path) -> None:
    write_east_workbook(tmp_path / "a.xlsx", LINKS, random.Random(1))
    book = load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Inspection", "Notes"]
    assert [cell.value for cell in book["Inspection"][3]][:2] == ["S.No.", "Photo link"]
