"""What a workbook costs: blank cells nothing, cells far apart little; bombs are refused before a reader has them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.sheet_files import read_sheets
from meter_pipeline_tests.support.bounds import costs_at_most
from meter_pipeline_tests.support.xlsx_xml import XlsxXml, formula, number, rows, text

URL = "http://s.example/1.jpg"


def written(tmp_path: Path, xml: str, **more: object) -> Path:
    return XlsxXml({"S": xml}, **more).write(tmp_path / "a.xlsx")  # type: ignore[arg-type]


@pytest.mark.parametrize("blank", ["<c r='{}' s='1'/>", '<c r="{}" s="1"></c>', '<c r="{}" s="1"><v></v></c>'])
def test_formatted_blank_cells_count_for_nothing(tmp_path: Path, blank: str) -> None:
    xml = rows([text("A1", "Photo"), blank.format("AZ1")], [text("A2", URL), blank.format("AZ2")])
    xml += f'<row r="1048576">{blank.format("A1048576")}{blank.format("XFD1048576")}</row>'
    with costs_at_most(2):
        sheet = read_sheets(written(tmp_path, xml))[0]
    assert [[cell for cell in cells if cell] for cells in sheet.rows] == [["Photo"], [URL]]


def test_borders_down_to_the_last_row_are_read_in_little_memory(tmp_path: Path) -> None:
    borders = "".join(f'<row r="{n}"><c r="B{n}" s="1"/><c r="AZ{n}" s="1"/></row>' for n in range(3, 200_000))
    xml = rows([text("A1", "Photo")], [text("A2", URL)]) + borders
    assert read_sheets(written(tmp_path, xml))[0].rows == [["Photo"], [URL]]


def test_a_stray_cell_far_away_is_read_where_it_is(tmp_path: Path) -> None:
    xml = rows([text("A1", "Photo"), text("C1", "No")], [text("A2", URL), number("C2", 7)])
    xml += '<row r="1048576"><c r="XFD1048576"><v>5</v></c></row>'
    tail = '<hyperlinks><hyperlink ref="C2" r:id="h"/></hyperlinks>'
    sheet = read_sheets(written(tmp_path, xml, tail=tail, links={"h": ("hyperlink", URL)}))[0]
    assert sheet.rows[:3] == [["Photo", "", "No"], [URL, "", "7"], []]
    assert (len(sheet.rows), len(sheet.rows[-1]), sheet.rows[-1][-1]) == (1_048_576, 16_384, "5")
    assert sheet.links == {(2, 2): URL}


def test_cells_without_references_far_down_are_read_where_they_are(tmp_path: Path) -> None:
    xml = f'<row r="1000"><c t="str"><v>Photo</v></c></row><row><c/><c t="str"><v>{URL}</v></c></row>'
    sheet = read_sheets(written(tmp_path, xml))[0]
    assert (sheet.first_row, sheet.first_column, sheet.rows) == (1000, 0, [["Photo", ""], ["", URL]])


def test_cells_all_over_a_sheet_are_refused(tmp_path: Path) -> None:
    letters = [openpyxl.utils.get_column_letter(n) for n in range(1, 16_385)]
    xml = "".join(f'<row r="{64 * n}"><c r="{letters[n]}{64 * n}"><v>1</v></c></row>' for n in range(1, 16_384))
    with pytest.raises(SpreadsheetError, match=r"17,1\d\d,.* cells; at most 40,000,000 are read"):
        read_sheets(written(tmp_path, xml))


def test_rows_that_begin_far_down_keep_their_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["C5"], book.active["C6"] = "Photo", URL
    book.save(tmp_path / "a.xlsx")
    sheet = read_sheets(tmp_path / "a.xlsx")[0]
    assert (sheet.first_row, sheet.first_column, sheet.rows) == (5, 2, [["Photo"], [URL]])


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<c r="A2" t="n"><v>1,5</v></c>', "1,5"),
        ('<c r="A2"><v>n/a</v></c>', "n/a"),
        ('<c r="A2" t="b"><v>yes</v></c>', "yes"),
        ('<c r="A2" t="s"><v>9</v></c>', ""),
        ('<c r="A2" t="new"><v>x</v></c>', "x"),
        (formula("A2", "FOO()", "#NEW!", "e"), "#NEW!"),
    ],
)
def test_a_cell_that_the_reader_stumbles_over_costs_only_itself(tmp_path: Path, cell: str, shown: str) -> None:
    xml = rows([text("A1", "No"), text("B1", "Photo")], [cell, '<c r="B2" t="s"><v>0</v></c>'])
    sheet = read_sheets(written(tmp_path, xml, strings=[URL]))[0]
    assert sheet.rows == [["No", "Photo"], [shown, URL]]


def test_a_long_text_in_many_cells_is_refused_and_one_in_few_is_read(tmp_path: Path) -> None:
    def cells(count: int) -> str:
        each = ((f'<c r="A{n}" t="s"><v>0</v></c>', f'<c r="B{n}" t="s"><v>1</v></c>') for n in range(1, count + 1))
        return rows(*each)

    texts = [URL, "x" * 200_000]
    assert len(read_sheets(written(tmp_path, cells(20), strings=texts))[0].rows) == 20
    with costs_at_most(3), pytest.raises(SpreadsheetError, match=r"characters of text in all; at most 1,000,000,000"):
        read_sheets(written(tmp_path, cells(10_000), strings=texts))


HOSTILE = {
    "starts of cells": "<c " * 500_000,
    "attributes": '<c t="e" ' * 200_000,
    "formulas": '<c r="A1" t="e"><f>' * 100_000,
    "blanks": "<c " + "a " * 500_000,
    "blanks in a cell": '<c r="A1" t="e">' + " " * 1_000_000,
    "rows": "<row" * 300_000,
    "one long text": f'<c r="A1" t="str"><f>HYPERLINK("{"x" * 1_000_000}")</f><v>a</v></c>',
    "quotes": '<hyperlink ref="' * 50_000,
    "nested formula": f'<row r="1"><c r="A1" t="str"><f>HYPERLINK({"(" * 5_000}</f><v>a</v></c></row>',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_xml_made_to_hold_a_reader_up_takes_no_longer(tmp_path: Path, case: str) -> None:
    path = written(tmp_path, HOSTILE[case], tail=HOSTILE[case], codes=["0000"])
    with costs_at_most(5):
        try:
            read_sheets(path)
        except SpreadsheetError as error:
            assert error.fix


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml"]
)
def test_entities_are_never_expanded(tmp_path: Path, part: str) -> None:
    made = XlsxXml({"S": rows(['<c r="A1" t="s"><v>0</v></c>'])}, strings=[URL], codes=["000"]).write(
        tmp_path / "a.xlsx"
    )
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    secret = tmp_path / "secret.txt"
    secret.write_text("canary", encoding="utf-8")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'.encode()
    parts[part] = doctype + parts[part].replace(URL.encode(), b"&e;")
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    try:
        assert "canary" not in str(read_sheets(made))
    except SpreadsheetError as error:
        assert "canary" not in str(error)
