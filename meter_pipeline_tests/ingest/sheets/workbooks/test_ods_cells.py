"""What stands behind the cells of ods workbooks, and how much they hold once repeats are laid out."""

from __future__ import annotations

import io
import zipfile

import pytest
from defusedxml import DefusedXmlException

from meter_pipeline.ingest.sheets.workbooks.formulas import Formula
from meter_pipeline.ingest.sheets.workbooks.ods_cells import OdsContent, OdsMeasure, read_ods
from meter_pipeline_tests.support.bounds import takes_at_most

SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office", "office"), ("table", "table"), ("text", "text"), ("draw", "drawing"))
)
NUMBER = 'office:value-type="float" office:value='


def _read(rows: str, *, before: str = "") -> OdsContent:
    xml = (
        f'<?xml version="1.0"?>{before}<office:document-content {SPACES} xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<office:body><office:spreadsheet><table:table table:name="S">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", xml)
    with zipfile.ZipFile(content) as archive:
        return read_ods(archive)


def _row(*cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def _cell(inside: str = "", attributes: str = "") -> str:
    return f"<table:table-cell {attributes}>{inside}</table:table-cell>"


def _link(url: str) -> str:
    return f'<text:a xlink:href="{url}" xlink:type="simple">view</text:a>'


def test_links_behind_text() -> None:
    behind = _read(
        _row(_cell("<text:p>Photo</text:p>"))
        + _row(_cell(f"<text:p>{_link('http://p.example/1.jpg')}</text:p>"))
        + _row(_cell(f"<text:p>{_link('http://p.example/2.jpg')} {_link('http://p.example/3.jpg')}</text:p>"))
        + _row(_cell(f"<text:p><text:span>{_link('http://p.example/4.jpg')}</text:span></text:p>"), repeated=3)
        + _row(_cell(f"<office:annotation><text:p>{_link('http://p.example/no')}</text:p></office:annotation>"))
    ).behind["S"]
    assert behind.links == {(2, 0): "http://p.example/1.jpg", (3, 0): "http://p.example/2.jpg\nhttp://p.example/3.jpg"}
    assert behind.linked_areas == [((4, 0, 6, 0), "http://p.example/4.jpg")]


def test_formulas_of_links() -> None:
    def formula(text: str, shown: str = "open") -> str:
        quoted = text.replace("&", "&amp;").replace('"', "&quot;")
        return _cell(f"<text:p>{shown}</text:p>", f'table:formula="{quoted}" office:value-type="string"')

    behind = _read(
        _row(
            formula('of:=HYPERLINK("http://p.example/1.jpg";"open")'),
            formula('of:=HYPERLINK("http://p.example/"&[.A2]&".jpg";"[.B1]")'),
            formula("of:=HYPERLINK([$'My sheet'.$A$1]&[$S2.B7];\"open\")"),
            formula('oooc:=HYPERLINK("http://p.example/2.jpg")'),
            formula("of:=SUM([.A1:.B2])", "3"),
        )
    ).behind["S"]
    assert {place: formula.text for place, formula in behind.formulas.items()} == {
        (1, 0): 'HYPERLINK("http://p.example/1.jpg";"open")',
        (1, 1): 'HYPERLINK("http://p.example/"&A2&".jpg";"[.B1]")',
        (1, 2): "HYPERLINK('My sheet'!$A$1&'S2'!B7;\"open\")",
        (1, 3): 'HYPERLINK("http://p.example/2.jpg")',
    }


def test_a_formula_without_a_stored_result_is_worked_out_later() -> None:
    behind = _read(_row(_cell("", 'table:formula="of:=[.B1]&amp;[.C1]"'))).behind["S"]
    assert behind.formulas == {(1, 0): Formula("B1&C1")}


def test_merged_cells_zeros_and_errors() -> None:
    behind = _read(
        _row(
            _cell("<text:p>t</text:p>", 'table:number-columns-spanned="2" table:number-rows-spanned="3"'),
            "<table:covered-table-cell/>",
            _cell("<text:p>0000004200</text:p>", f'{NUMBER}"4200"'),
            _cell("<text:p>000-042</text:p>", f'{NUMBER}"42"'),
            _cell("<text:p>4,200.50</text:p>", f'{NUMBER}"4200.5"'),
            _cell("<text:p>4200</text:p>", f'{NUMBER}"4200"'),
            _cell("<text:p>0.50</text:p>", f'{NUMBER}"0.5"'),
            _cell(
                "<text:p>Err:502</text:p>", 'table:formula="of:=1+" office:value-type="string" office:string-value=""'
            ),
            _cell("<text:p>#REF!</text:p>", f'table:formula="of:=[.#REF!]" {NUMBER}"0"'),
        )
    ).behind["S"]
    assert behind.merged == [(1, 0, 3, 1)]
    assert list(behind.numbers) == [(1, 2, "0000004200"), (1, 3, "000-042")]
    assert behind.texts == {(1, 7): "Err:502", (1, 8): "#REF!"}


@pytest.mark.parametrize(
    ("columns", "rows", "length"), [(1000, 38_000, 1000), (1000, 39_000, 1), (16_384, 1_048_576, 5)]
)
def test_repeats_are_counted_and_not_laid_out(columns: int, rows: int, length: int) -> None:
    with takes_at_most(5):
        cell = _cell(f"<text:p>{'x' * length}</text:p>", f'table:number-columns-repeated="{columns}"')
        measure = _read(_row(_cell("<text:p>a</text:p>")) + _row(cell, repeated=rows)).measure
        assert measure == OdsMeasure((rows + 1) * columns, rows * columns + 1, rows * columns * length + 1)


def test_repeated_links_formulas_and_zeros_cost_little() -> None:
    with takes_at_most(5):
        formula = 'table:formula="of:=HYPERLINK([.A1])"'
        many = 'table:number-columns-repeated="16384"'
        rows = _row(_cell(f"<text:p>{_link('http://p.example/1.jpg')}</text:p>", many), repeated=1_000_000)
        rows += _row(_cell("<text:p>x</text:p>", f"{formula} {many}"), repeated=1_000_000)
        rows += _row(_cell("<text:p>007</text:p>", f'{NUMBER}"7" {many}'), repeated=1_000_000)
        behind = _read(rows).behind["S"]
        assert len(behind.linked_areas) == 1
        assert not behind.formulas


def test_empty_rows_to_the_end_count_for_nothing() -> None:
    empty = _cell("", 'table:number-columns-repeated="16384"')
    measure = _read(_row(_cell("<text:p>abc</text:p>")) + _row(empty, repeated=1_048_575)).measure
    assert measure == OdsMeasure(1, 1, 3)


def test_strange_repeats_and_entities() -> None:
    assert _read(_row(_cell("<text:p>a</text:p>", 'table:number-columns-repeated="-4"'))).measure.cells == 1
    huge = _read(_row(_cell("<text:p>a</text:p>", f'table:number-columns-repeated="{"9" * 400}"'))).measure
    assert huge.cells >= 1 << 24
    with pytest.raises(DefusedXmlException):
        _read(_row(_cell("<text:p>&x;</text:p>")), before='<!DOCTYPE a [<!ENTITY x "y">]>')


def test_pictures_in_cells_are_counted() -> None:
    frame = '<draw:frame><draw:image xlink:href="Pictures/1.jpg"/></draw:frame>'
    found = _read(f"<table:shapes>{frame}{frame}</table:shapes>" + _row(_cell(frame)))
    assert found.behind["S"].pictures == 3
