"""Spreadsheets as people make them: the same rows from every kind of workbook, and the columns that hold URLs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets import spreadsheets
from meter_pipeline.ingest.sheets.sheet_files import Sheet
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_letters
from meter_pipeline.settings import SheetSettings
from meter_pipeline.storage.tables import EXPORT_COLUMNS
from meter_pipeline_tests.support.account_sheets import HEADER, ROWS, check_rows
from meter_pipeline_tests.support.bounds import costs_at_most
from meter_pipeline_tests.support.sheet_writers import write_ods, write_xls, write_xlsx
from meter_pipeline_tests.support.xlsb_writer import write_xlsb

WRITERS: dict[str, Callable[[Path], Path]] = {
    "a.xlsx": lambda path: write_xlsx(path, {"Sheet": ROWS}),
    "a.xlsm": lambda path: write_xlsx(path, {"Sheet": ROWS}),
    "a.xls": lambda path: write_xls(path, ROWS),
    "a.ods": lambda path: write_ods(path, ROWS),
    "a.xlsb": lambda path: write_xlsb(path, [[str(v) if isinstance(v, dt.date) else v for v in row] for row in ROWS]),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_workbook_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    check_rows(read_spreadsheet(WRITERS[name](tmp_path / name)))


def test_titles_several_sheets_and_hidden_ones(tmp_path: Path) -> None:
    may = [["Ablesungen Mai"], [], ["Zählernr.", "Bild (Link)"], ["0007", "http://photos.example/1.jpg"]]
    june = [[None, None, "फोटो"], [None, None, "http://photos.example/2.jpg"]]
    notes = [["Who", "Phone"], ["Anna", "0123"]]
    path = write_xlsx(
        tmp_path / "many.xlsx", {"Mai": may, "Notes": notes, "Juni": june, "Old": may, "Empty": []}, hidden=["Old"]
    )
    found = read_spreadsheet(path)
    assert [(row.sheet, row.row_number, row.image_url) for row in found.rows] == [
        ("Mai", 4, "http://photos.example/1.jpg"),
        ("Juni", 2, "http://photos.example/2.jpg"),
    ]
    assert found.rows[0].other_columns == {"Zählernr.": "0007"}
    assert found.url_columns == ["Mai!Bild (Link)", "Juni!फोटो"]
    assert found.skipped == ["Old (hidden)", "Notes (no URL column)"]
    assert [row.sheet for row in read_spreadsheet(path, SheetSettings(sheet="old")).rows] == ["Old"]
    with pytest.raises(SpreadsheetError, match=r"no sheet 'July'.*'Mai'"):
        read_spreadsheet(path, SheetSettings(sheet="July"))


def test_a_first_row_without_url_is_not_taken_for_the_header(tmp_path: Path) -> None:
    rows = [HEADER, ["1", "in the cellar", 5, None, "x"], ["2", "http://photos.example/2.jpg", 6, None, "y"]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert [(row.row_number, row.reason) for row in found.rows] == [(2, "not a URL"), (3, None)]
    assert found.rows[1].other_columns["Account"] == "2"


def test_no_header_at_all(tmp_path: Path) -> None:
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": [["7", "http://photos.example/1.jpg"]]}))
    assert found.rows[0].other_columns == {"column A": "7"}
    assert found.url_columns == ["column B"]


def test_several_url_columns_and_several_urls_in_a_cell(tmp_path: Path) -> None:
    rows = [["No", "Front", "Back", "See also"]]
    rows += [
        [str(i), f"http://p.example/f{i}.jpg", f"http://p.example/b{i}.jpg" if i else None, "text"] for i in range(4)
    ]
    rows[1][3] = "http://wiki.example/"
    rows[2][1] = "http://p.example/x.jpg\nhttp://p.example/y.jpg"
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert found.url_columns == ["Front", "Back"]
    assert not found.refused
    assert [row.image_url[17:] for row in found.rows if row.row_number == 3] == ["x.jpg", "y.jpg", "b1.jpg"]
    assert found.rows[0].other_columns["Front"] == "http://p.example/f0.jpg"
    assert [
        row.image_url[17:18] for row in read_spreadsheet(tmp_path / "a.xlsx", SheetSettings(url_column="back")).rows
    ] == [
        "",
        "b",
        "b",
        "b",
    ]
    assert len(read_spreadsheet(tmp_path / "a.xlsx", SheetSettings(url_column="C")).rows) == 4


def test_repeated_and_missing_headers_keep_every_column(tmp_path: Path) -> None:
    rows = [["Name", "URL", "Name", None, "Name (2)"], ["a", "http://p.example/1.jpg", "b", "c", "d"]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert list(found.rows[0].other_columns.values()) == ["a", "b", "c", "d"]
    assert found.rows[0].other_columns["column D"] == "c"


def test_missing_schemes_are_found_where_there_are_no_whole_urls(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,bild\n1,photos.example/1.jpg\n2,www.photos.example/2.jpg\n", encoding="utf-8")
    assert [row.image_url for row in read_spreadsheet(tmp_path / "a.csv").rows] == [
        "http://photos.example/1.jpg",
        "http://www.photos.example/2.jpg",
    ]


def test_a_file_without_urls_says_what_it_saw_and_how_to_name_the_column(tmp_path: Path) -> None:
    rows = [["Account", "Reading"], ["1", 5]]
    path = write_xlsx(tmp_path / "a.xlsx", {"May": rows, "Old": rows}, hidden=["Old"])
    with pytest.raises(
        SpreadsheetError, match=r"'May' with the columns Account, Reading.*Hidden.*Old.*METER_URL_COLUMN"
    ):
        read_spreadsheet(path)
    with pytest.raises(SpreadsheetError, match=r"no column 'Foto'"):
        read_spreadsheet(path, SheetSettings(url_column="Foto"))
    with pytest.raises(SpreadsheetError, match=r"None of the 1 rows.*1 x not a URL"):
        read_spreadsheet(path, SheetSettings(url_column="Account"))


def test_a_remark_with_a_link_is_no_url_column(tmp_path: Path) -> None:
    rows = [["Account", "Remark"], ["1", "http://p.example/"], *([str(i), "dark"] for i in range(9))]
    with pytest.raises(SpreadsheetError, match="No column"):
        read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))


def test_column_letters() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_rows_over_the_limit_are_refused_each_and_the_others_are_taken(tmp_path: Path) -> None:
    rows = [["Photo"], *[[f"http://photos.example/{number}.jpg"] for number in range(5)]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}), SheetSettings(max_rows=3))
    assert [row.reason is None for row in found.rows] == [True] * 3 + [False] * 2
    assert found.rows[4].image_url == "http://photos.example/4.jpg"
    assert found.rows[4].reason == "over the limit of 3 rows per file; put it into a file of its own"


@pytest.mark.parametrize(
    ("text", "link", "wanted"),
    [
        ("http://p.example/very/lo...", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.example/very/lo\u2026", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.example/very/lo... ", "http://p.example/very/long/1.jpg", "link"),
        ("(http://p.example/very/lo\u2026)", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.ex\u2026/1.jpg", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.ex.../1.jpg", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.example/very/lo", "http://p.example/very/long/1.jpg", "link"),
        ("http://p.example/1.jpg", "http://p.example/1.jpg?sig=a%2Fb", "link"),
        ("open", "http://p.example/1.jpg", "link"),
        ("Ansehen", "http://p.example/1.jpg", "link"),
        ("IMG_1.jpg", "http://p.example/get?id=1", "link"),
        ("no photo", "http://p.example/1.jpg", "link"),
        ("http://p.example/new.jpg", "http://p.example/old.jpg", "text"),
        ("http://p.example/photo/1", "http://p.example/photo/12", "text"),
        ("http://p.example/1.jpg", "mailto:anna@p.example", "text"),
        ("http://p.example/1.jpg", "http://p.example/1.jpg", "text"),
    ],
)
def test_the_whole_link_behind_a_shortened_text_wins(tmp_path: Path, text: str, link: str, wanted: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Photo", "Account"])
    sheet.append([text, "1"])
    sheet.append(["http://p.example/other.jpg", "2"])
    sheet["A2"].hyperlink = link
    sheet["A2"].value = text
    book.save(tmp_path / "a.xlsx")
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [row.image_url for row in found.rows] == [link if wanted == "link" else text, "http://p.example/other.jpg"]


def test_the_urls_of_a_row_share_its_other_cells(tmp_path: Path) -> None:
    urls = " ".join(f"http://p.ex/{number}" for number in range(50_000))
    (tmp_path / "a.csv").write_text(f"url,remark\n{urls},{'r' * 900_000}\n", encoding="utf-8")
    with costs_at_most(10):
        found = read_spreadsheet(tmp_path / "a.csv")
        assert len(found.rows) == 50_000
        assert len({id(row.other_columns) for row in found.rows}) == 1


def test_many_columns_of_one_name_cost_what_others_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "x," * 16_000 + "url\n" + "1," * 16_000 + "http://p.example/1.jpg\n", encoding="utf-8"
    )
    with costs_at_most(5):
        found = read_spreadsheet(tmp_path / "a.csv")
        assert list(found.rows[0].other_columns)[-1] == "x (16000)"


def test_more_columns_than_excel_has_are_refused_and_blank_ones_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "," * 200_000 + "url\n" + "1," * 200_000 + "http://p.example/1.jpg\n", encoding="utf-8"
    )
    with pytest.raises(SpreadsheetError, match="200,001 columns; at most 16,384 are read"):
        read_spreadsheet(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("url" + "," * 20_000 + "\nhttp://p.example/1.jpg\n", encoding="utf-8")
    assert len(read_spreadsheet(tmp_path / "b.csv").rows) == 1


def test_an_error_or_other_text_beside_a_photo_is_no_row_of_its_own(tmp_path: Path) -> None:
    rows = [["Photo 1", "Photo 2"], *[[f"http://p.example/{i}.jpg", f"http://p.example/b{i}.jpg"] for i in range(4)]]
    rows += [
        ["http://p.example/5.jpg", "#N/A"],
        ["#REF!", "n/a"],
        ["", "-"],
        ["n/a", ""],
        ["too dark", "http://p.example/6.jpg"],
    ]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert [(row.row_number, row.image_url, row.reason) for row in found.rows[8:]] == [
        (6, "http://p.example/5.jpg", None),
        (7, "#REF!", "the cell holds the error #REF!: correct its formula"),
        (8, "-", "no URL: the cell says that there is none"),
        (9, "n/a", "no URL: the cell says that there is none"),
        (10, "http://p.example/6.jpg", None),
    ]


def test_an_export_of_ours_is_read_by_its_first_column(tmp_path: Path) -> None:
    header = [*EXPORT_COLUMNS, "Front", "Back"]
    lines = [header] + [
        [f"http://p.example/{n}.jpg", *[""] * (len(EXPORT_COLUMNS) - 1), f"http://p.example/f{n}.jpg", "x"]
        for n in "ab"
    ]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, lines)), encoding="utf-8")
    found = read_spreadsheet(tmp_path / "a.csv")
    assert [row.image_url for row in found.rows] == ["http://p.example/a.jpg", "http://p.example/b.jpg"]
    assert found.rows[0].other_columns["Front"] == "http://p.example/fa.jpg"


def test_a_formula_whose_url_cannot_be_worked_out_and_an_unknown_error_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["Photo", "No"], ["http://p.example/1.jpg", "1"], ["open", "2"], ["", "3"], ["Err:502", "4"]]
    sheet = Sheet("S", False, 1, 0, rows, reasons={(3, 0): "its formula", (4, 0): "its formula"}, pictures=12)
    monkeypatch.setattr(spreadsheets, "read_sheets", lambda *_: [sheet])
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [(row.image_url, row.reason) for row in found.rows[:3]] == [
        ("http://p.example/1.jpg", None),
        ("open", "its formula"),
        ("", "its formula"),
    ]
    assert "error Err:502" in str(found.rows[3].reason)
    assert found.passed_over == ["12 pictures are inside the workbook (sheet 'S') and not read"]


def test_pictures_inside_the_workbook_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = Sheet("S", False, 1, 0, [["Account", "Photo"], ["1", ""]], pictures=1)
    monkeypatch.setattr(spreadsheets, "read_sheets", lambda *_: [sheet])
    with pytest.raises(SpreadsheetError, match=r"1 picture is inside the workbook \(sheet 'S'\).*Save the pictures"):
        read_spreadsheet(tmp_path / "a.xlsx")
