"""Workbooks whose parts have other names, or lack some: read as spreadsheet programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from meter_pipeline.ingest.sheets.sheet_files import read_sheets
from meter_pipeline_tests.support.xlsx_xml import STRICT_MAIN, STRICT_OFFICE, XlsxXml, number, rows, text

_BACKSLASHES = {
    "workbook": "xl\\workbook.xml",
    "relations": "xl\\_rels\\workbook.xml.rels",
    "sheet": "xl\\worksheets\\sheet{}.xml",
    "strings": "xl\\sharedStrings.xml",
    "styles": "xl\\styles.xml",
}
NAMES: dict[str, Mapping[str, str]] = {
    "usual": {},
    "backslashes": _BACKSLASHES,
    "backslashes in targets": {"target": "worksheets\\sheet{}.xml"},
    "a slash in front": {key: f"/{name}".replace("\\", "/") for key, name in _BACKSLASHES.items()},
    "capitals": {key: name.replace("\\", "/").upper() for key, name in _BACKSLASHES.items()},
    "workbook2": {
        "workbook": "xl/workbook2.xml",
        "relations": "xl/_rels/workbook2.xml.rels",
        "root": "xl/workbook2.xml",
    },
    "another folder": {
        "workbook": "book/main.xml",
        "relations": "book/_rels/main.xml.rels",
        "sheet": "book/tabs/t{}.xml",
        "target": "tabs/t{}.xml",
        "strings": "book/sharedStrings.xml",
        "styles": "book/styles.xml",
        "root": "/book/main.xml",
    },
    "absolute targets": {"target": "/xl/worksheets/sheet{}.xml", "strings target": "/xl/sharedStrings.xml"},
    "dots in targets": {"target": "./worksheets/../worksheets/sheet{}.xml"},
    "blanks in names": {"sheet": "xl/worksheets/my sheet{}.xml", "target": "worksheets/my%20sheet{}.xml"},
    "texts and formats elsewhere": {
        "strings": "xl/texts/t.xml",
        "strings target": "texts/t.xml",
        "styles": "xl/s.xml",
        "styles target": "s.xml",
    },
}


def book() -> XlsxXml:
    cells = [number("A2", 42, 1), '<c r="B2" t="s"><v>0</v></c>']
    sheets = {"S": rows([text("A1", "Meter"), text("B1", "Photo")], cells), "T & U": rows([text("A1", "x")])}
    return XlsxXml(sheets, strings=["http://s.example/1.jpg"], codes=["00000"])


@pytest.mark.parametrize("case", NAMES)
def test_parts_are_found_under_any_name(tmp_path: Path, case: str) -> None:
    made = book()
    made.names = NAMES[case]
    first, second = read_sheets(made.write(tmp_path / "a.xlsx"))
    assert (first.name, first.rows) == ("S", [["Meter", "Photo"], ["00042", "http://s.example/1.jpg"]])
    assert (second.name, second.rows) == ("T & U", [["x"]])


def test_a_strict_workbook_is_read(tmp_path: Path) -> None:
    made = book()
    made.main, made.office = STRICT_MAIN, STRICT_OFFICE
    assert read_sheets(made.write(tmp_path / "a.xlsx"))[0].rows[1] == ["00042", "http://s.example/1.jpg"]


def test_a_workbook_is_found_by_its_content_type_or_its_usual_name(tmp_path: Path) -> None:
    made = book()
    made.more = {"_rels/.rels": ""}
    assert len(read_sheets(made.write(tmp_path / "a.xlsx"))) == 2
    made.names = {"workbook": "xl/main.xml", "relations": "xl/_rels/main.xml.rels"}
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    made.more = {
        "_rels/.rels": "",
        "[Content_Types].xml": f'<Types><Override PartName="/xl/main.xml" ContentType="{kind}"/></Types>',
    }
    assert len(read_sheets(made.write(tmp_path / "a.xlsx"))) == 2


def test_a_sheet_whose_part_is_missing_is_empty_and_the_others_are_read(tmp_path: Path) -> None:
    made = book()
    made.more = {"xl/worksheets/sheet1.xml": ""}
    made.names = {"sheet": "xl/worksheets/other{}.xml", "target": "worksheets/gone{}.xml"}
    assert [sheet.rows for sheet in read_sheets(made.write(tmp_path / "a.xlsx"))] == [[], []]


def test_names_of_elements_with_a_prefix_are_read(tmp_path: Path) -> None:
    xml = '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData><x:row r="1">'
    xml += '<x:c r="A1" t="str"><x:f>HYPERLINK("http://s.example/1.jpg","a")</x:f><x:v>a</x:v></x:c>'
    xml += '<x:c r="B1" s="1"><x:v>42</x:v></x:c><x:c r="C1" t="e"><x:v>#BUSY!</x:v></x:c></x:row>'
    xml += '<x:row r="2"><x:c r="B2"><x:v>1</x:v></x:c></x:row></x:sheetData>'
    xml += '<x:mergeCells><x:mergeCell ref="A1:A2"/></x:mergeCells></x:worksheet>'
    made = book()
    made.names = {"sheet": "xl/worksheets/other{}.xml"}
    made.more = {"xl/worksheets/sheet1.xml": xml, "xl/worksheets/sheet2.xml": xml}
    sheet = read_sheets(made.write(tmp_path / "a.xlsx"))[0]
    assert sheet.rows == [["a", "00042", "#BUSY!"], ["a", "1", ""]]
    assert sheet.links == {(row, 0): "http://s.example/1.jpg" for row in (1, 2)}
