from __future__ import annotations

import contextlib
import datetime as dt
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.spreadsheets import Spreadsheet, column_letters, read_spreadsheet
from meter_pipeline.settings import SheetSettings
from meter_pipeline_tests.support.sheet_writers import as_text, write_ods, write_xls, write_xlsx
from meter_pipeline_tests.support.xlsb_writer import write_xlsb

HEADER = ["Account", "Photo", "Reading", "Date", "Remark"]
ROWS: list[list[Any]] = [
    HEADER,
    ["000123", "http://photos.example/1.jpg", 12345, dt.date(2026, 5, 1), "=none"],
    [None] * 5,
    ["000124", None, 7.25, dt.date(2026, 5, 2), None],
    ["000125", "n/a", 0.1 + 0.2, dt.date(2026, 5, 3), None],
    ["000126", "http://photos.example/2.jpg", 1e15, dt.date(2026, 5, 4), "last"],
]


WRITERS: dict[str, Callable[[Path], Path]] = {
    "a.xlsx": lambda path: write_xlsx(path, {"Sheet": ROWS}),
    "a.xlsm": lambda path: write_xlsx(path, {"Sheet": ROWS}),
    "a.xls": lambda path: write_xls(path, ROWS),
    "a.ods": lambda path: write_ods(path, ROWS),
    "a.xlsb": lambda path: write_xlsb(path, [[str(v) if isinstance(v, dt.date) else v for v in row] for row in ROWS]),
}
TEXTS = {
    "utf8.csv": (",", "utf-8"),
    "mark.csv": (";", "utf-8-sig"),
    "windows.csv": (";", "cp1252"),
    "utf16.tsv": ("\t", "utf-16"),
    "utf16-no-mark.txt": ("\t", "utf-16-le"),
    "sap.xls": ("\t", "utf-16"),
    "pipe.csv": ("|", "utf-8"),
}


def check_rows(found: Spreadsheet) -> None:
    rows = found.rows
    assert [row.row_number for row in rows] == [2, 4, 5, 6]
    assert [row.image_url for row in rows] == ["http://photos.example/1.jpg", "", "n/a", "http://photos.example/2.jpg"]
    assert [row.reason for row in rows] == [None, "no URL", "not a URL", None]
    assert rows[0].other_columns == {"Account": "000123", "Reading": "12345", "Date": "2026-05-01", "Remark": "=none"}
    assert [row.other_columns["Reading"] for row in rows] == ["12345", "7.25", "0.3", "1000000000000000"]
    assert found.url_columns == ["Photo"]


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_workbook_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    check_rows(read_spreadsheet(WRITERS[name](tmp_path / name)))


@pytest.mark.parametrize("name", TEXTS)
def test_every_kind_of_text_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    delimiter, encoding = TEXTS[name]
    rows = [*ROWS[:1], [*ROWS[1]], *ROWS[2:]]
    rows[3] = [*rows[3][:4], "Zähler dunkel"]
    rows[5] = [*rows[5][:2], 10**15, *rows[5][3:]]
    path = tmp_path / name
    path.write_bytes(as_text(rows, delimiter).encode(encoding))
    found = read_spreadsheet(path)
    check_rows(found)
    assert found.rows[1].other_columns["Remark"] == "Zähler dunkel"


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
    rows = [HEADER, ["1", "not yet", 5, None, "x"], ["2", "http://photos.example/2.jpg", 6, None, "y"]]
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


def test_links_behind_text_and_behind_formulas(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["No", "Photo"])
    for number in range(4):
        sheet.append([number, "show"])
    sheet["B2"].hyperlink = "http://p.example/a.jpg?x=1&y=2"
    sheet["B3"] = '=HYPERLINK("http://p.example/b.jpg","show ""it""")'
    sheet["B4"] = '=HYPERLINK(A4&".jpg","made up")'
    sheet["B5"] = "http://p.example/c.jpg"
    sheet["B5"].hyperlink = "http://p.example/older.jpg"
    book.save(tmp_path / "a.xlsx")
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [row.image_url for row in found.rows] == [
        "http://p.example/a.jpg?x=1&y=2",
        "http://p.example/b.jpg",
        "",
        "http://p.example/c.jpg",
    ]


def test_missing_schemes_are_found_where_there_are_no_whole_urls(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,bild\n1,photos.example/1.jpg\n2,www.photos.example/2.jpg\n", encoding="utf-8")
    assert [row.image_url for row in read_spreadsheet(tmp_path / "a.csv").rows] == [
        "http://photos.example/1.jpg",
        "http://www.photos.example/2.jpg",
    ]


def test_quoted_fields_separator_line_and_an_inch_sign(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('sep=;\r\nurl;remark\r\nhttp://p.example/1.jpg;"a;b\nc"\r\n', encoding="utf-8")
    assert read_spreadsheet(tmp_path / "a.csv").rows[0].other_columns == {"remark": "a;b\nc"}
    (tmp_path / "b.csv").write_text(
        'remark,url\n"3 pipe,http://p.example/1.jpg\nx,http://p.example/2.jpg\n', encoding="utf-8"
    )
    assert len(read_spreadsheet(tmp_path / "b.csv").rows) == 2


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


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=6), delimiter=st.sampled_from(",;\t|")
)
@example(rows=[["\r0"] * 3], delimiter=",")
def test_no_cell_content_breaks_the_reader(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path / "a.csv"
    lines = [["url", *"abc"], *([f"http://p.example/{i}.jpg", *row] for i, row in enumerate(rows))]
    # A line break that is not quoted is a new row, and with enough of those no column is one of URLs.
    cells = [[" ".join(cell.splitlines()) for cell in line] for line in lines]
    path.write_bytes("\n".join(delimiter.join(line) for line in cells).encode())
    found = read_spreadsheet(path)
    numbers = [row.row_number for row in found.rows]
    assert numbers == sorted(numbers)
    assert any(row.reason is None for row in found.rows)
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode())
    with contextlib.suppress(SpreadsheetError):
        numbers = [row.row_number for row in read_spreadsheet(path).rows]
        assert numbers == sorted(numbers)


def test_column_letters() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_rows_over_the_limit_are_refused_each_and_the_others_are_taken(tmp_path: Path) -> None:
    rows = [["Photo"], *[[f"http://photos.example/{number}.jpg"] for number in range(5)]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}), SheetSettings(max_rows=3))
    assert [row.reason is None for row in found.rows] == [True] * 3 + [False] * 2
    assert found.rows[4].image_url == "http://photos.example/4.jpg"
    assert found.rows[4].reason == "over the limit of 3 rows per file; put it into a file of its own"


def test_error_cells_are_refused_as_such_and_travel_as_people_see_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Account", "Photo"])
    sheet.append(["#N/A", "http://photos.example/1.jpg"])
    sheet.append(["000124", "#REF!"])
    sheet.append(["000125", None])
    for place in ("A2", "B3"):
        sheet[place].data_type = "e"
    book.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert xml.count('t="e"') == 2
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert [(row.row_number, row.image_url, row.reason) for row in found.rows] == [
        (2, "http://photos.example/1.jpg", None),
        (3, "#REF!", "the cell holds the error #REF!: mend its formula"),
        (4, "", "no URL"),
    ]
    assert found.rows[0].other_columns == {"Account": "#N/A"}
    text = tmp_path / "a.csv"
    text.write_text("Photo\nhttp://photos.example/1.jpg\n#N/A\n", encoding="utf-8")
    assert "error #N/A" in str(read_spreadsheet(text).rows[1].reason)
