"""Workbooks: text stays text and comes back, and the same rows give the same bytes."""

from __future__ import annotations

import io
import time
import zipfile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from meter_pipeline.storage import xlsx
from meter_pipeline.storage.xlsx import CUT, MAX_CELL_CHARACTERS, workbook_bytes

HEADER = ["image_url", "top1_confidence", "Account"]
ROWS = [["http://p.example/1.jpg", 91.234, "=1+1"], ["http://p.example/2.jpg", None, "#N/A"]]


def sheet_of(content: bytes) -> Worksheet:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert isinstance(sheet, Worksheet)
    return sheet


def test_text_is_stored_as_text_and_numbers_with_their_decimals() -> None:
    sheet = sheet_of(workbook_bytes(HEADER, ROWS))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [HEADER, *ROWS]
    assert [sheet[place].data_type for place in ("C2", "C3")] == ["s", "s"]
    assert (sheet["B2"].number_format, sheet["A1"].font.bold) == ("0.00", True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * (MAX_CELL_CHARACTERS + 5), "x" * (MAX_CELL_CHARACTERS - len(CUT))),
        ("\U0001f600" * 20_000, "\U0001f600" * ((MAX_CELL_CHARACTERS - len(CUT)) // 2)),
        ("\x01" * 5_000, "_x0001_" * ((MAX_CELL_CHARACTERS - len(CUT)) // 7)),
    ],
)
def test_a_text_longer_than_a_cell_can_hold_is_cut_and_says_so(text: str, kept: str) -> None:
    sheet = sheet_of(workbook_bytes(["Remark"], [[text]]))
    assert sheet["A2"].value == kept + CUT
    assert len(sheet["A2"].value.encode("utf-16-le")) <= 2 * MAX_CELL_CHARACTERS


def test_a_text_that_just_fits_is_whole() -> None:
    text = "x" * (MAX_CELL_CHARACTERS - 2) + "\U0001f600"
    assert sheet_of(workbook_bytes(["Remark"], [[text]]))["A2"].value == text


def test_more_columns_than_a_sheet_has_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MAX_COLUMNS", 2)
    sheet = sheet_of(workbook_bytes(["a", "b", "c", "d"], [["1", "2", "3", "4"]]))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["a", "3 further columns are in the CSV"],
        ["1", None],
    ]


def test_more_rows_than_a_sheet_has_are_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 2)
    book = load_workbook(io.BytesIO(workbook_bytes(["a"], [["1"], ["2"], ["3"]])))
    assert [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book] == [["a", "1", "2"], ["a", "3"]]
    assert book.sheetnames == ["predictions", "predictions 2"]


ODD = [
    [
        "",
        "a & b < c > d",
        " led by a blank",
        "ended by one ",
        "\t",
        "two\nlines",
        "\r\n",
        "=1+1",
        "#N/A",
        "_x0041_",
        "\x00",
    ],
    ["\u00e4\U0001f600", "\ud800", "'", '"', "\ufffe", "None", "1", "x" * 40_000, "<is>", "&amp;", "-"],
    [1, 2.5, -0.0, 1e-9, 123456789012.25, 10**17, float("nan"), float("inf"), None, True, 0.1 + 0.2],
    [None, *["text", 7] * 5],
]


def test_rows_are_written_as_openpyxl_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "ROWS_AT_A_TIME", 3)
    header = [*HEADER, *(f"c{number}" for number in range(len(ODD[0]) - len(HEADER)))]
    content = workbook_bytes(header, ODD * 3)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        ours = archive.read("xl/worksheets/sheet1.xml").decode()
    assert ours[ours.index('<row r="2">') : ours.index("</sheetData>")] == by_openpyxl(header, ODD * 3)


def by_openpyxl(header: list[str], rows: list[list]) -> str:
    """The XML of the rows, through openpyxl's cells."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([cell_of(sheet, name, bold=True) for name in header])
    for row in rows:
        sheet.append([cell_of(sheet, value, xlsx.NUMBER_FORMATS.get(name)) for name, value in zip(header, row)])
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        found = archive.read("xl/worksheets/sheet1.xml").decode()
    return found[found.index('<row r="2">') : found.index("</sheetData>")]


def cell_of(sheet, value: object, number_format: str | None = None, *, bold: bool = False) -> object:
    if value is None:
        return None
    is_text = isinstance(value, str)
    cell = WriteOnlyCell(sheet, xlsx._text(value) if is_text else value)
    cell.data_type = "s" if is_text else "n"
    if bold:
        cell.font = Font(bold=True)
    if number_format is not None and not is_text:
        cell.number_format = number_format
    return cell


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_at_another_time() -> None:
    first = workbook_bytes(HEADER, ROWS)
    time.sleep(1.1)  # a workbook names the second it was made in
    assert workbook_bytes(HEADER, ROWS) == first
