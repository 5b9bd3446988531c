"""Links, errors, numbers and merged ranges behind the cells of xlsx workbooks, as programs write them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from meter_pipeline.ingest.sheets.sheet_files import Sheet, read_sheets
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline_tests.support.bounds import costs_at_most
from meter_pipeline_tests.support.xlsx_xml import (
    STRICT_MAIN,
    STRICT_OFFICE,
    XlsxXml,
    formula,
    number,
    rows,
    text,
)

HEADER = [text("A1", "Meter"), text("B1", "Photo")]


def sheet_of(tmp_path: Path, book: XlsxXml) -> Sheet:
    return read_sheets(book.write(tmp_path / "a.xlsx"))[0]


def behind(sheet: Sheet, row: int, column: int) -> str:
    """Return the link of a cell, or its text."""
    text = sheet.rows[row - sheet.first_row][column - sheet.first_column]
    return sheet.links.get((row, column), text)


FORMULAS: dict[str, tuple[str, str | None, str]] = {
    "constant": ('HYPERLINK("http://s.example/1.jpg","open")', "open", "http://s.example/1.jpg"),
    "without a text": ('HYPERLINK("http://s.example/1.jpg")', None, "http://s.example/1.jpg"),
    "pieces": ('HYPERLINK("http://s.example/"&A2&".jpg","open")', "open", "http://s.example/1000.jpg"),
    "absolute": ('HYPERLINK("http://s.example/"&$A$2&".jpg","open")', "open", "http://s.example/1000.jpg"),
    "another sheet": ("HYPERLINK('The base'!$A$1&A2&\".jpg\",\"open\")", "open", "https://base.example/1000.jpg"),
    "concatenate": ('HYPERLINK(CONCATENATE("http://s.example/",A2,".jpg"),"x")', "x", "http://s.example/1000.jpg"),
    "concat": ('HYPERLINK(_xlfn.CONCAT("http://s.example/",A2:A2,".jpg"),"x")', "x", "http://s.example/1000.jpg"),
    "column of the sheet": ('HYPERLINK("http://s.example/"&A:A&".jpg","x")', "x", "http://s.example/1000.jpg"),
    "condition": ('IF(A2="","",HYPERLINK("http://s.example/"&A2,"x"))', "x", "http://s.example/1000"),
    "if error": ('IFERROR(HYPERLINK("http://s.example/"&A2,"x"),"")', "x", "http://s.example/1000"),
    "substitute": ('HYPERLINK("http://s.example/"&SUBSTITUTE(A2,"0","1"),"x")', "x", "http://s.example/1111"),
    "padded": ('HYPERLINK("http://s.example/"&TEXT(A2,"000000"),"x")', "x", "http://s.example/001000"),
    "reckoned": ('HYPERLINK("http://s.example/"&A2+1&".jpg","x")', "x", "http://s.example/1001.jpg"),
    "quotes in the text": ('HYPERLINK("http://s.example/1.jpg","the ""photo""")', "x", "http://s.example/1.jpg"),
    "small letters": ('hyperlink( "http://s.example/1.jpg" ; "x" )', "x", "http://s.example/1.jpg"),
    "picture": ('_xlfn.IMAGE("http://s.example/1.jpg","meter",0)', "#VALUE!", "http://s.example/1.jpg"),
    "picture of pieces": ('_xlfn.IMAGE("http://s.example/"&A2)', "#CONNECT!", "http://s.example/1000"),
    "google": (
        'IFERROR(__xludf.DUMMYFUNCTION("IMAGE(""http://s.example/1.jpg"")"),"")', "", "http://s.example/1.jpg",
    ),
    "google of pieces": (
        'IFERROR(__xludf.DUMMYFUNCTION("IMAGE(""http://s.example/""&A2, 1)"),"")', "", "http://s.example/1000",
    ),
    "google's other results": (
        'IFERROR(__xludf.DUMMYFUNCTION("""COMPUTED_VALUE"""),"http://s.example/2.jpg")', "http://s.example/2.jpg",
        "http://s.example/2.jpg",
    ),
    "no stored result": ('"http://s.example/"&A2&".jpg"', None, "http://s.example/1000.jpg"),
    "this row of a table": (
        'HYPERLINK("http://s.example/"&Meters[[#This Row],[Meter]],"x")', "x", "http://s.example/1000",
    ),
    "no photo": ('HYPERLINK("mailto:a@b.example","write")', "write", "write"),
    "a place in the workbook": ('HYPERLINK("#Sheet2!A1","go")', "go", "go"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMULAS)
def test_the_link_of_a_formula_is_worked_out(tmp_path: Path, case: str) -> None:
    code, stored, url = FORMULAS[case]
    kind = "e" if (stored or "").startswith("#") else "str"
    cell = formula("B2", code, stored, kind, ' vm="1"' if kind == "e" else "")
    book = XlsxXml(
        {"S": rows(HEADER, [number("A2", 1000), cell]), "The base": rows([text("A1", "https://base.example/")])},
        tail="<tableParts><tablePart/></tableParts>",
        links={"t1": ("table", "../tables/table1.xml")},
        more={
            "xl/tables/table1.xml": '<table name="Meters" displayName="Meters" ref="A1:B2"><tableColumns>'
            '<tableColumn name="Meter"/><tableColumn name="Photo"/></tableColumns></table>'
        },
    )
    sheet = sheet_of(tmp_path, book)
    assert behind(sheet, 2, 1) == url
    assert sheet.reasons == {}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ('HYPERLINK(VLOOKUP(A2,C:D,2,0),"open")', "VLOOKUP"),
        ('HYPERLINK([1]Sheet1!$A$1,"open")', r"\[1\]"),
        ('HYPERLINK(base&A2,"open")', "base"),
        ('HYPERLINK(Gone!A1&A2,"open")', "Gone"),
        ('HYPERLINK("http://s.example/"&C2,"open")', "#REF!"),
    ],
)
def test_a_link_that_cannot_be_worked_out_is_a_row_with_the_reason(tmp_path: Path, code: str, why: str) -> None:
    cells = [text("A2", "x"), formula("B2", code), '<c r="C2" t="e"><v>#REF!</v></c>']
    good = [text("A3", "y"), text("B3", "http://s.example/good.jpg")]
    path = XlsxXml({"S": rows(HEADER, cells, good)}).write(tmp_path / "a.xlsx")
    found = {row.row_number: row for row in read_spreadsheet(path).rows}
    assert found[3].reason is None
    assert "cannot be worked out" in str(found[2].reason)
    with pytest.raises(AssertionError, match=why):
        assert found[2].reason is None


def test_formulas_that_share_their_text_take_their_own_cells(tmp_path: Path) -> None:
    first = '<c r="B2" t="str"><f t="shared" ref="B2:B4" si="0">HYPERLINK("http://s.example/"&amp;A2&amp;$A$2,"x")</f><v>x</v></c>'
    rest = [[number(f"A{n}", n), f'<c r="B{n}" t="str"><f t="shared" si="0"/><v>x</v></c>'] for n in (3, 4)]
    sheet = sheet_of(tmp_path, XlsxXml({"S": rows(HEADER, [number("A2", 2), first], *rest)}))
    assert [sheet.links[row, 1] for row in (2, 3, 4)] == [f"http://s.example/{n}2" for n in (2, 3, 4)]


def test_results_that_were_never_stored_are_worked_out_in_a_chain(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["No", "File", "Photo"])
    for row in (2, 3):
        book.active.append([row, f'=A{row}&".jpg"', f'=HYPERLINK("http://s.example/"&B{row})'])
    book.save(tmp_path / "a.xlsx")
    sheet = read_sheets(tmp_path / "a.xlsx")[0]
    assert [cells[1:] for cells in sheet.rows[1:]] == [[f"{n}.jpg", f"http://s.example/{n}.jpg"] for n in (2, 3)]


def test_cells_without_references_have_their_links_and_errors(tmp_path: Path) -> None:
    xml = '<row><c t="str"><v>Photo</v></c></row><row><c t="str"><f>HYPERLINK("http://s.example/1.jpg","a")</f><v>a</v></c></row>'
    xml += '<row/><row><c><v>1</v></c><c t="e"><v>#BUSY!</v></c></row>'
    sheet = sheet_of(tmp_path, XlsxXml({"S": xml}))
    assert behind(sheet, 2, 0) == "http://s.example/1.jpg"
    assert behind(sheet, 4, 1) == "#BUSY!"


@pytest.mark.parametrize("strict", [False, True])
def test_a_link_over_a_range_is_the_link_of_each_filled_cell(tmp_path: Path, strict: bool) -> None:
    links = '<hyperlinks><hyperlink ref="B2:B1048576" r:id="h1"/><hyperlink ref="A2" r:id="h2" display="a > b"/>'
    links += '<hyperlink ref="A3" r:id="h3"/><hyperlink ref="A4" location="S!A1"/></hyperlinks>'
    cells = [[text(f"A{n}", "m"), *([text(f"B{n}", "show")] if n != 3 else [])] for n in (2, 3, 4)]
    book = XlsxXml(
        {"S": rows(HEADER, *cells)},
        tail=links,
        links={
            "h1": ("hyperlink", "http://s.example/all.jpg?a=1&b=2"),
            "h2": ("hyperlink", "https://s.example/2.jpg"),
            "h3": ("hyperlink", "mailto:a@b.example"),
        },
    )
    if strict:
        book.main, book.office = STRICT_MAIN, STRICT_OFFICE
    with costs_at_most(1):
        sheet = sheet_of(tmp_path, book)
    everywhere = "http://s.example/all.jpg?a=1&b=2"
    assert sheet.links == {(2, 1): everywhere, (4, 1): everywhere, (2, 0): "https://s.example/2.jpg"}


def test_a_links_fragment_belongs_to_it(tmp_path: Path) -> None:
    book = XlsxXml(
        {"S": rows(HEADER, [text("A2", "x"), text("B2", "show")])},
        tail='<hyperlinks><hyperlink ref="B2" r:id="h1" location="page=2"/></hyperlinks>',
        links={"h1": ("hyperlink", "http://s.example/1.jpg")},
    )
    assert sheet_of(tmp_path, book).links == {(2, 1): "http://s.example/1.jpg#page=2"}


ERRORS = [
    "#REF!", "#N/A", "#SPILL!", "#CALC!", "#BUSY!", "#ERROR!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#EXTERNAL!",
    "#UNKNOWN!", "#PYTHON!", "#NAME", "Err:502", "#LOADING", "#BEZUG!", "#¡REF!", "#GETTING_DATA", "#NEVER_SEEN!", "",
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_value_is_its_cells_matter(tmp_path: Path, error: str) -> None:
    cells = [formula("A2", "FOO()", error, "e"), text("B2", "http://s.example/1.jpg"), number("C2", 5)]
    sheet = sheet_of(tmp_path, XlsxXml({"S": rows(HEADER, cells)}))
    assert sheet.rows[1] == [error, "http://s.example/1.jpg", "5"]


CODES = {
    "0000000000": ("4200", "0000004200"),
    "00000": ("7", "00007"),
    "000-000": ("4200", "004-200"),
    "000\\-000": ("4200", "004-200"),
    '"A"0000': ("42", "A0042"),
    "00000;-00000": ("42", "00042"),
    "000000_)": ("42", "000042"),
    "[Blue]0000": ("42", "0042"),
    "[<=99999]00000;00000-0000": ("123456789", "12345-6789"),
    "0000 0000": ("12345678", "1234 5678"),
    "000000;@": ("42", "000042"),
    "0": ("42", "42"),
    "0.00": ("42.5", "42.5"),
    "#,##0": ("4200", "4200"),
    "0%": ("0.5", "0.5"),
    '0" kWh"': ("42", "42"),
    "00.00": ("42", "42"),
    "$00": ("42", "42"),
    "@": ("42", "42"),
    "00E+00": ("42", "42"),
}


@pytest.mark.parametrize("code", CODES)
def test_numbers_keep_the_zeros_and_signs_that_people_see(tmp_path: Path, code: str) -> None:
    stored, shown = CODES[code]
    sheet = sheet_of(tmp_path, XlsxXml({"S": rows([number("A1", stored, 1), text("B1", "x", 1)])}, codes=[code]))
    assert sheet.rows == [[shown, "x"]]


def test_formulas_take_numbers_without_their_format(tmp_path: Path) -> None:
    cells = [number("A2", 42, 1), formula("B2", 'HYPERLINK("http://s.example/"&A2)')]
    sheet = sheet_of(tmp_path, XlsxXml({"S": rows(HEADER, cells)}, codes=["00000"]))
    assert (sheet.rows[1][0], sheet.links[2, 1]) == ("00042", "http://s.example/42")


def test_a_merged_range_gives_its_value_and_link_to_each_row(tmp_path: Path) -> None:
    cells = [[text(f"C{n}", f"r{n}")] for n in (2, 3, 4, 5)]
    cells[0] = [text("A2", "000123"), text("B2", "show"), *cells[0]]
    merges = "".join(f'<mergeCell ref="{ref}"/>' for ref in ("A2:A4", "B2:B1048576", "A1:C1"))
    book = XlsxXml(
        {"S": rows([text("A1", "Title")], *cells)},
        tail=f'<mergeCells>{merges}</mergeCells><hyperlinks><hyperlink ref="B2" r:id="h"/></hyperlinks>',
        links={"h": ("hyperlink", "http://s.example/1.jpg")},
    )
    sheet = sheet_of(tmp_path, book)
    assert sheet.rows == [
        ["Title", "", ""],
        ["000123", "show", "r2"],
        ["000123", "show", "r3"],
        ["000123", "show", "r4"],
        ["", "show", "r5"],
    ]
    assert sheet.links == {(row, 1): "http://s.example/1.jpg" for row in (2, 3, 4, 5)}


def test_merged_ranges_on_top_of_each_other_take_no_longer(tmp_path: Path) -> None:
    merges = "".join(f'<mergeCell ref="A1:A{1_048_576 - n}"/>' for n in range(5_000))
    book = XlsxXml(
        {"S": rows(*([text(f"B{n}", "x")] for n in range(1, 5_001)))}, tail=f"<mergeCells>{merges}</mergeCells>"
    )
    with costs_at_most(3):
        assert len(sheet_of(tmp_path, book).rows) == 5_000


PICTURES: dict[str, tuple[XlsxXml, int]] = {
    "over the cells": (
        XlsxXml(
            {"S": rows(HEADER, [text("A2", "x")])},
            tail='<drawing r:id="d"/>',
            links={"d": ("drawing", "../drawings/drawing1.xml")},
            more={"xl/drawings/drawing1.xml": "<xdr:wsDr>" + "<xdr:pic><xdr:x/></xdr:pic>" * 3 + "</xdr:wsDr>"},
        ),
        3,
    ),
    "in cells": (
        XlsxXml(
            {"S": rows(HEADER, *([f'<c r="A{n}" t="e" vm="1"><v>#VALUE!</v></c>'] for n in (2, 3)))},
            more={"xl/richData/rdrichvaluestructure.xml": '<rvStructures><s t="_localImage"/></rvStructures>'},
        ),
        2,
    ),
    "of WPS": (XlsxXml({"S": rows(HEADER, [formula("A2", '_xlfn.DISPIMG("ID_1",1)', '=DISPIMG("ID_1",1)')])}), 1),
    "none": (XlsxXml({"S": rows(HEADER, [text("A2", "x")])}), 0),
}


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_inside_the_workbook_are_counted(tmp_path: Path, case: str) -> None:
    book, count = PICTURES[case]
    sheet = sheet_of(tmp_path, book)
    assert sheet.pictures == count
    assert not any(cell == "#VALUE!" for cells in sheet.rows for cell in cells)


def test_a_url_that_can_be_read_stays_and_the_link_beside_it_is_known(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Photo"])
    for shown in ("http://p.example/c.jpg", "http://p.example/same.jpg"):
        book.active.append([shown])
    book.active["A2"].hyperlink = "http://p.example/older.jpg"
    book.active["A3"].hyperlink = "http://p.example/same.jpg"
    book.save(tmp_path / "a.xlsx")
    sheet = read_sheets(tmp_path / "a.xlsx")[0]
    assert sheet.links == {(2, 0): "http://p.example/older.jpg"}
