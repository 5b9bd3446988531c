"""Formulas that make links: worked out like a spreadsheet program does, or left with a reason; never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, Link, UnknownResult, Value, text_of
from meter_pipeline_tests.support.bounds import costs_at_most


class Sheet:
    """Cells of a sheet, by (row, column)."""

    def __init__(self, **cells: Value) -> None:
        self._cells = {(int(place[1:]), ord(place[0]) - 65): value for place, value in cells.items()}

    def value(self, sheet: str, row: int, column: int) -> Value:
        if sheet:
            raise UnknownResult(f"there is no sheet {sheet!r}")
        return self._cells.get((row, column))

    def table_column(self, table: str, name: str) -> int:
        if (table, name) == ("T", "No 1"):
            return 0
        raise UnknownResult("no such column")


CELLS = Sheet(A1="17", B1="  a  b ", C1="x y", D1="#N/A", E1="TRUE")
RESULTS = {
    '"a"&"b"': "ab",
    '"a"&1+2*3&"b"': "a7b",
    "-A1+1": "-16",
    "(1+2)*3": "9",
    "7/2": "3.5",
    '"say ""it"""': 'say "it"',
    "A1&Z9": "17",
    'IF(A1=17,"y","n")': "y",
    'IF(A1<>"17","y","n")': "n",
    'IF(A1>100,"y")': "FALSE",
    'IF(E1,"y","n")': "y",
    'IF(Z9="","blank",1)': "blank",
    "TRIM(B1)": "a b",
    'UPPER(LEFT(C1,1))&MID(C1,2,1)&RIGHT(C1)&LEN(C1)': "X y3",
    'SUBSTITUTE("a-b-c","-","+",2)': "a-b+c",
    "ENCODEURL(C1)": "x%20y",
    'TEXTJOIN("/",TRUE,A1:C1)': "17/  a  b /x y",
    'CHAR(65)&TRUE': "ATRUE",
    'TEXT(A1,"0000")': "0017",
    "ROW()": "1",
    "T[[#This Row],[No 1]]": "17",
    "T[@[No 1]]": "17",
    "@A1": "17",
    "=1+1": "2",
}  # fmt: skip


@pytest.mark.parametrize("code", RESULTS)
def test_results(code: str) -> None:
    assert text_of(Formula(code).result(CELLS, 1, 5)) == RESULTS[code]


@pytest.mark.parametrize(
    "code",
    [
        "", "1+", "A1&", "FOO(1)", "VLOOKUP(A1,B:C,2)", "D1&1", "Sheet9!A1", "A1:B2", "name", "1/0", '"open',
        "IF(C1,1,2)", "(" * 500, "A1^2", "50%", "{1,2}", "CONCAT(A1:Z100000)", "RIGHT(A1,-1)", "T[[#All],[No 1]]",
        'REPT("x",1000000000)', f'SUBSTITUTE(SUBSTITUTE("{"a" * 900}","a","{"b" * 900}"),"b","{"c" * 900}")',
        "x" * 10_000,
    ],
)  # fmt: skip
def test_what_cannot_be_worked_out_says_why(code: str) -> None:
    with pytest.raises(UnknownResult, match=r"\w"):
        Formula(code).result(CELLS, 1, 5)


def test_a_link_has_its_target_and_its_text() -> None:
    link = Formula('IF(TRUE,HYPERLINK("http://s.example/"&A1,"open"))').result(CELLS, 1, 5)
    assert isinstance(link, Link)
    assert (link, link.target) == ("open", "http://s.example/17")
    assert not isinstance(Formula('HYPERLINK("http://s.example/")&"x"').result(CELLS, 1, 5), Link)


def test_a_shared_formula_moves_with_its_cell_but_for_what_is_fixed() -> None:
    cells = Sheet(A1="a", A3="b", C1="c", C3="d")
    moved = "A1&$A1&A$1&$A$1"
    assert Formula(moved, down=2, right=2).result(cells, 3, 5) == "dbca"


@given(st.text(alphabet="HYPERLINK(\"&A1,;)=<>$.:!'[]@#{}%0 \\", max_size=60))
def test_no_text_raises_anything_else(code: str) -> None:
    with costs_at_most(1):
        try:
            Formula(code).result(CELLS, 1, 5)
        except UnknownResult as unknown:
            assert str(unknown)
