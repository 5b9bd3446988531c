from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from meter_pipeline.core import sheet_files
from meter_pipeline.core.error_cells import errors_of_part
from meter_pipeline.core.spreadsheets import SheetChoice, Spreadsheet, column_letters, read_spreadsheet
from meter_pipeline.errors import SpreadsheetError
from meter_pipeline_tests.unit.xlsb_writer import write_xlsb

Rows = Sequence[Sequence[Any]]
HEADER = ["Account", "Photo", "Reading", "Date", "Remark"]
ROWS: list[list[Any]] = [
    HEADER,
    ["000123", "http://photos.example/1.jpg", 12345, dt.date(2026, 5, 1), "=none"],
    [None] * 5,
    ["000124", None, 7.25, dt.date(2026, 5, 2), None],
    ["000125", "n/a", 0.1 + 0.2, dt.date(2026, 5, 3), None],
    ["000126", "http://photos.example/2.jpg", 1e15, dt.date(2026, 5, 4), "last"],
]


def write_xlsx(path: Path, sheets: dict[str, Rows], hidden: Sequence[str] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                cell = sheet.cell(number, column, value)
                if isinstance(value, str):
                    cell.data_type = "s"
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


def write_xls(path: Path, rows: Rows) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    date = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value, *([date] if isinstance(value, dt.date) else []))
    book.save(str(path))
    return path


def write_ods(path: Path, rows: Rows) -> Path:
    book = OpenDocumentSpreadsheet()
    table = Table(name="Sheet")
    for row in rows:
        line = TableRow()
        for value in row:
            kind: dict[str, str] = {}
            if isinstance(value, dt.date):
                kind = {"valuetype": "date", "datevalue": value.isoformat()}
            elif isinstance(value, (int, float)):
                kind = {"valuetype": "float", "value": repr(value)}
            elif value is not None:
                kind = {"valuetype": "string"}
            cell = TableCell(**kind)
            if value is not None:
                cell.addElement(P(text=str(value)))
            line.addElement(cell)
        table.addElement(line)
    book.spreadsheet.addElement(table)
    book.save(str(path))
    return path


def as_text(rows: Rows, delimiter: str) -> str:
    def cell(value: Any) -> str:
        return "" if value is None else format(value, ".15g") if isinstance(value, float) else str(value)

    return "".join(delimiter.join(map(cell, row)) + "\r\n" for row in rows)


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
    assert [row.sheet for row in read_spreadsheet(path, SheetChoice(sheet="old")).rows] == ["Old"]
    with pytest.raises(SpreadsheetError, match=r"no sheet 'July'.*'Mai'"):
        read_spreadsheet(path, SheetChoice(sheet="July"))


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
        row.image_url[17:18] for row in read_spreadsheet(tmp_path / "a.xlsx", SheetChoice(url_column="back")).rows
    ] == [
        "",
        "b",
        "b",
        "b",
    ]
    assert len(read_spreadsheet(tmp_path / "a.xlsx", SheetChoice(url_column="C")).rows) == 4


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


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.xlsx", b"", "empty"),
    "not a spreadsheet": ("a.docx", b"x", "not a spreadsheet"),
    "text called xlsx": ("a.xlsx", b"url\nhttp://p.example/1.jpg\n", "text, not a .xlsx"),
    "web page called xls": ("a.xls", b"<html><table><tr><td>http://p.example/1.jpg", "web page"),
    "photo called xlsx": ("a.xlsx", b"\xff\xd8\xff\xe0", "JPEG"),
    "pdf called csv": ("a.csv", b"%PDF-1.7", "PDF"),
    "zip called csv": ("a.csv", zipped({"a.txt": b"x"}), "name of a text file"),
    "binary called csv": ("a.csv", bytes(range(256)) * 40, "not"),
    "zip called xlsx": ("a.xlsx", zipped({"a.txt": b"x"}), "zip archive"),
    "word called xlsx": ("a.xlsx", zipped({"word/document.xml": b"<x/>"}), "Word"),
    "bomb": ("a.xlsx", zipped({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(60_000_000)}), "unpacks"),
    "encrypted xlsx": ("a.xlsx", OLE + bytes(2000) + "EncryptedPackage".encode("utf-16-le"), "password"),
    "old word called xls": ("a.xls", OLE + bytes(2000) + "WordDocument".encode("utf-16-le"), "not a workbook"),
    "broken old workbook": ("a.xls", OLE + bytes(2000) + "Workbook".encode("utf-16-le"), "damaged"),
    "no cells": ("a.csv", b"\n\n\n", "no filled cells"),
    "entities": (
        "a.xlsx",
        zipped(
            {
                "xl/workbook.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><workbook>&a;</workbook>',
                "xl/_rels/workbook.xml.rels": b"<x/>",
            }
        ),
        "damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_with_name_reason_and_advice(tmp_path: Path, case: str) -> None:
    name, content, why = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpreadsheetError, match=why) as caught:
        read_spreadsheet(tmp_path / name)
    assert caught.value.where == name
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_workbook_cut_off_anywhere_is_refused(tmp_path: Path, share: float) -> None:
    whole = write_xlsx(tmp_path / "whole.xlsx", {"S": ROWS}).read_bytes()
    (tmp_path / "a.xlsx").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SpreadsheetError, match="not whole"):
        read_spreadsheet(tmp_path / "a.xlsx")


def test_cells_far_apart_do_not_fill_the_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "http://p.example/1.jpg"
    book.active["XFD1048576"] = "stray"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SpreadsheetError, match="stray cells"):
        read_spreadsheet(tmp_path / "a.xlsx")


def test_a_file_without_urls_says_what_it_saw_and_how_to_name_the_column(tmp_path: Path) -> None:
    rows = [["Account", "Reading"], ["1", 5]]
    path = write_xlsx(tmp_path / "a.xlsx", {"May": rows, "Old": rows}, hidden=["Old"])
    with pytest.raises(
        SpreadsheetError, match=r"'May' with the columns Account, Reading.*Hidden.*Old.*METER_URL_COLUMN"
    ):
        read_spreadsheet(path)
    with pytest.raises(SpreadsheetError, match=r"no column 'Foto'"):
        read_spreadsheet(path, SheetChoice(url_column="Foto"))
    with pytest.raises(SpreadsheetError, match=r"None of the 1 rows.*1 x not a URL"):
        read_spreadsheet(path, SheetChoice(url_column="Account"))


def test_a_remark_with_a_link_is_no_url_column(tmp_path: Path) -> None:
    rows = [["Account", "Remark"], ["1", "http://p.example/"], *([str(i), "dark"] for i in range(9))]
    with pytest.raises(SpreadsheetError, match="No column"):
        read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=6), delimiter=st.sampled_from(",;\t|")
)
def test_no_cell_content_breaks_the_reader(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path / "a.csv"
    lines = [["url", *"abc"], *([f"http://p.example/{i}.jpg", *row] for i, row in enumerate(rows))]
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode())
    found = read_spreadsheet(path)
    numbers = [row.row_number for row in found.rows]
    assert numbers == sorted(numbers)
    assert any(row.reason is None for row in found.rows)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"PK\x03\x04", OLE, b"\xff\xfe", b"a,b\n"]),
    suffix=st.sampled_from(sheet_files.SUFFIXES),
)
def test_no_file_content_raises_anything_but_a_spreadsheet_error(
    tmp_path: Path, content: bytes, start: bytes, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(start + content)
    try:
        read_spreadsheet(path)
    except SpreadsheetError as error:
        assert error.fix


def test_column_letters() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


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


def test_an_error_of_a_formula_and_one_across_the_readers_chunks_are_found() -> None:
    cell = '<c r="B{}" s="1" t="e"><f t="shared" si="0">VLOOKUP(A1,Z:Z,1,0)</f><v>#N/A</v></c>'
    cells = "".join(cell.format(row) + f'<c r="C{row}" t="s"><v>{row}</v></c>' for row in range(1, 20_001))
    with io.BytesIO() as buffer, zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sheet.xml", cells)
        assert len(cells) > 1 << 20
        assert errors_of_part(archive, "sheet.xml") == {(row, 1): "#N/A" for row in range(1, 20_001)}


def test_rows_over_the_limit_are_refused_each_and_the_others_are_taken(tmp_path: Path) -> None:
    rows = [["Photo"], *[[f"http://photos.example/{number}.jpg"] for number in range(5)]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}), SheetChoice(max_rows=3))
    assert [row.reason is None for row in found.rows] == [True] * 3 + [False] * 2
    assert found.rows[4].image_url == "http://photos.example/4.jpg"
    assert found.rows[4].reason == "over the limit of 3 rows a file; put it into a file of its own"


@pytest.mark.parametrize("name", ["far.xlsb", "far.ods"])
def test_cells_far_apart_in_other_workbooks_do_not_fill_the_memory_either(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("xlsb"):
        write_xlsb(path, [["http://photos.example/1.jpg", *[None] * 16_000, "far"], *[["x"]] * 5000], first_row=9000)
    else:
        book = OpenDocumentSpreadsheet()
        table = Table(name="Sheet")
        line = TableRow(numberrowsrepeated=1_000_000)
        for text in ("http://photos.example/1.jpg", "far"):
            cell = TableCell(valuetype="string", numbercolumnsrepeated=8_000)
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
        book.spreadsheet.addElement(table)
        book.save(str(path))
    with pytest.raises(SpreadsheetError, match="stray cells"):
        read_spreadsheet(path)


def test_empty_cells_to_the_edge_of_an_ods_sheet_are_no_extent(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    table = Table(name="Sheet")
    for text in ("Photo", "http://photos.example/1.jpg"):
        line = TableRow()
        cell = TableCell(valuetype="string")
        cell.addElement(P(text=text))
        line.addElement(cell)
        line.addElement(TableCell(numbercolumnsrepeated=16_383))
        table.addElement(line)
    rest = TableRow(numberrowsrepeated=1_048_574)
    rest.addElement(TableCell(numbercolumnsrepeated=16_384))
    table.addElement(rest)
    book.spreadsheet.addElement(table)
    book.save(str(tmp_path / "a.ods"))
    assert [row.image_url for row in read_spreadsheet(tmp_path / "a.ods").rows] == ["http://photos.example/1.jpg"]
