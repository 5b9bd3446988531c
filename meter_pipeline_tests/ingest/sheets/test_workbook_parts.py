"""Parts of an xlsx workbook: found by the names of their sheets, read without what XML can be made to do."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.spreadsheets import column_letters
from meter_pipeline.ingest.sheets.workbook_parts import (
    DefusedXmlException,
    column_number,
    elements,
    place_of,
    sheet_parts,
    tag,
)
from meter_pipeline_tests.support.sheet_writers import write_xlsx


def test_each_sheet_has_its_part(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"May & June": [["x"]], "July": [["y"], ["z"]]})
    with zipfile.ZipFile(path) as archive:
        parts = sheet_parts(archive)
        assert list(parts) == ["May & June", "July"]
        rows = [sum(tag(element) == "row" for element in elements(archive, part)) for part in parts.values()]
    assert rows == [1, 2]


def test_an_archive_of_something_else_has_no_sheets() -> None:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
        assert sheet_parts(archive) == {}


def test_entities_are_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("part.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
        with pytest.raises(DefusedXmlException):
            list(elements(archive, "part.xml"))


def test_the_place_of_a_reference_is_its_first_cell() -> None:
    references = ["B7", "$AA$10", "B7:C9", "A1048576", "b7", "7", ""]
    places = [(7, 1), (10, 26), (7, 1), (1_048_576, 0), None, None, None]
    assert [place_of(reference) for reference in references] == places


@given(st.integers(0, 16_383))
def test_letters_and_numbers_of_a_column_belong_together(column: int) -> None:
    assert column_number(column_letters(column)) == column + 1
