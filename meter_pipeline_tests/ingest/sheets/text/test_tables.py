"""Text tables: encoding and delimiter are detected, and no content of a cell breaks the reader."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline.ingest.sheets.text.tables import read_text_table
from meter_pipeline_tests.support.account_sheets import ROWS, check_rows
from meter_pipeline_tests.support.sheet_writers import as_text

TEXTS = {
    "utf8.csv": (",", "utf-8"),
    "mark.csv": (";", "utf-8-sig"),
    "windows.csv": (";", "cp1252"),
    "utf16.tsv": ("\t", "utf-16"),
    "utf16-no-mark.txt": ("\t", "utf-16-le"),
    "sap.xls": ("\t", "utf-16"),
    "pipe.csv": ("|", "utf-8"),
}


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


def test_quoted_fields_separator_line_and_an_inch_sign(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('sep=;\r\nurl;remark\r\nhttp://p.example/1.jpg;"a;b\nc"\r\n', encoding="utf-8")
    assert read_spreadsheet(tmp_path / "a.csv").rows[0].other_columns == {"remark": "a;b\nc"}
    (tmp_path / "b.csv").write_text(
        'remark,url\n"3 pipe,http://p.example/1.jpg\nx,http://p.example/2.jpg\n', encoding="utf-8"
    )
    assert len(read_spreadsheet(tmp_path / "b.csv").rows) == 2


def _read(text: str | bytes) -> list[list[str]]:
    return read_text_table(Path("a.csv"), text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "Sep=; ", "sep=;;;"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_separator_lines(line: str, ends: str) -> None:
    assert _read(f"{line}{ends}a,x;b{ends}1,y;2{ends}") == [["a,x", "b"], ["1,y", "2"]]


@pytest.mark.parametrize("line", ["sep=\t", "SEP=\\t"])
def test_separator_lines_of_tabs(line: str) -> None:
    assert _read(f"{line}\r\na;x\tb\r\n") == [["a;x", "b"]]


@pytest.mark.parametrize("delimiter", ["^", "~", "¦", "\x1f", "\x01"])
def test_rare_delimiters(delimiter: str) -> None:
    rows = [["id", "url", "remark"], *([str(i), f"http://p.example/~u/{i}.jpg", "a, b"] for i in range(5))]
    if delimiter == "~":
        rows = [[cell.replace("~", "-") for cell in row] for row in rows]
    assert _read("\n".join(delimiter.join(row) for row in rows)) == rows


def test_a_sign_in_every_url_is_no_delimiter() -> None:
    assert _read("".join(f"http://p.example/~u/{i}.jpg\n" for i in range(3)).join(["url\n", ""]))[0] == ["url"]
    assert _read("id,url\n" + "".join(f"{i},http://p.example/~u/{i}.jpg\n" for i in range(9)))[1][0] == "0"


GUARDS = {
    '="000123"': "000123",
    '="a ""b"" c"': 'a "b" c',
    '= "7" ': "7",
    '=T("000123")': "000123",
    '=HYPERLINK("http://p.example/1.jpg","open")': "http://p.example/1.jpg",
    '=HYPERLINK("http://p.example/1.jpg";"open")': "http://p.example/1.jpg",
    '=hyperlink( "http://p.example/1.jpg" )': "http://p.example/1.jpg",
    '=HIPERŁĄCZE("http://p.example/1.jpg";"otwórz")': "http://p.example/1.jpg",
    '=LIEN_HYPERTEXTE("http://p.example/1.jpg";"x")': "http://p.example/1.jpg",
    '=IMAGE("http://p.example/1.jpg")': "http://p.example/1.jpg",
    '=_xlfn.IMAGE("http://p.example/"&"1.jpg",,1)': "http://p.example/1.jpg",
    "'000123": "'000123",
    "=1+1": "=1+1",
    '=A1&"x"': '=A1&"x"',
    '=CONCAT("a","b")': '=CONCAT("a","b")',
    '="': '="',
    "=": "=",
}


@pytest.mark.parametrize("cell", GUARDS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_guards_and_formulas_of_constants(cell: str, delimiter: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    assert _read(f"a{delimiter}b\n{quoted}{delimiter}x\nx{delimiter}{quoted}\n")[1:] == [
        [GUARDS[cell], "x"],
        ["x", GUARDS[cell]],
    ]


def test_guards_that_are_not_quoted() -> None:
    assert _read('a,b\n="000123",="4"\n') == [["a", "b"], ["000123", "4"]]


def test_stray_quotes_cost_only_their_own_line() -> None:
    text = 'a,b\n"3 pipe",x\n"3 pipe,y\n"several\nlines",z\n4" x "q",w\n"a ""q"" b","c,d"\n'
    assert _read(text) == [
        ["a", "b"],
        ["3 pipe", "x"],
        ['"3 pipe', "y"],
        ["several\nlines", "z"],
        ['4" x "q"', "w"],
        ['a "q" b', "c,d"],
    ]


def test_an_unclosed_quote_before_many_long_rows() -> None:
    rows = "".join(f'"{i}","http://p.example/{i}.jpg","{"x" * 200}"\n' for i in range(8000))
    found = _read(f'id,url,remark\n1,http://p.example/x.jpg,"3 pipe\n{rows}')
    assert len(found) == 8002
    assert found[-1][:2] == ["7999", "http://p.example/7999.jpg"]


def test_quotes_behind_backslashes() -> None:
    assert _read('"a","b"\n"3\\" pipe","x, y"\n') == [["a", "b"], ['3" pipe', "x, y"]]
    assert _read('"a","b"\n"C:\\dir\\","x"\n') == [["a", "b"], ["C:\\dir\\", "x"]]


def test_zeros_and_the_end_mark_of_old_programs() -> None:
    assert (
        _read(b"id,url\0\0\0\n1,http://p.example/1.jpg\0\0\n\x1a")
        == [["id", "url"], ["1", "http://p.example/1.jpg"], []][:2]
    )


def test_a_cell_that_is_too_long_is_refused() -> None:
    with pytest.raises(SpreadsheetError, match="1,000,000 characters"):
        _read("url\n" + "x" * 1_000_001)


def test_ends_of_lines_of_old_macs_and_rows_of_any_width() -> None:
    assert _read("a,b\r1,2\r3\r4,5,6") == [["a", "b"], ["1", "2"], ["3"], ["4", "5", "6"]]


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=400) | st.text(alphabet='",;\t|\\=ab-\n\r\0^', max_size=200).map(str.encode))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(SpreadsheetError):
        _read(content)


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
