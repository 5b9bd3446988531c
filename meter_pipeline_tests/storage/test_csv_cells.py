"""Cells of a CSV: no text is run as a formula whatever separates the columns, and every text comes back as it was."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meter_pipeline.storage.csv_cells import csv_bytes, safe_cell, unsafe_cell
from meter_pipeline_tests.support.bounds import costs_at_most
from meter_pipeline_tests.support.sheet_texts import ANY_TEXT

HOSTILE_TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            [*"=+-@'\"\t\r\n,;| \u00a0\uff1d\ufeff\0\v1x(", '""', "\r\n", "sep=;", "-5", "cmd|' /C x'!A0", "''"]
        ),
        st.characters(codec="utf-8"),
    ),
    max_size=12,
).map("".join)
NUMBER = re.compile(r"-[0-9.e\-]+(,[^(!|\r\n]*([\r\n].*)?)?", re.DOTALL)


def _runs(cell: str) -> bool:
    """Return whether a program could take a cell for a formula; a number and what cannot change it is none."""
    bare = cell.strip().strip('\ufeff\u200b\0" \t\r\n\v\f\u00a0')
    return bare[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20") and bare != "" and not NUMBER.fullmatch(bare)


@given(st.one_of(ANY_TEXT, HOSTILE_TEXT))
@settings(max_examples=500)
@example("x;=1+1")
@example("\t\t'")
def test_a_cell_is_safe_and_comes_back(text: str) -> None:
    safe = safe_cell(text)
    assert unsafe_cell(safe) == text
    assert not safe.startswith(("=", "+", "@", "\t", "\r", "\n"))
    assert not any(_runs(piece) for piece in re.split(r"[;|\t\r\n]", safe))


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(
                st.one_of(HOSTILE_TEXT, st.integers(-9, 9), st.floats(-2, 2), st.none()), min_size=width, max_size=width
            ),
            min_size=1,
            max_size=4,
        )
    )
)
@settings(max_examples=400)
@example([["a", "x;=1+1"]])
@example([["a", 'x;"=1+1"']])
@example([["a", 'x;\n"=1+1'], [-5, "1+cmd|' /C calc'!A0"]])
@example([["a", 'b;"'], [-5, "x"]])
@example([["sep=;", "=1"]])
def test_no_reader_finds_a_formula_and_ours_finds_the_texts(table: list[list[str | int | float | None]]) -> None:
    header = [cell if isinstance(cell, str) else "name" for cell in table[0]]
    content = csv_bytes(header, table).decode("utf-8-sig")
    assert not content.lower().startswith(("sep=", '"sep='))
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter):
            assert not any(_runs(cell) for cell in row), (delimiter, row)
    if "\0" not in content:
        back = [[unsafe_cell(cell) for cell in row] for row in csv.reader(io.StringIO(content, newline=""))]
        assert back[0] == header or header == [""]
        for row, cells in zip(back[1:], table, strict=True):
            assert row == ["" if cell is None else str(cell) for cell in cells] or cells in ([""], [None])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("x;=1+1", "x;'=1+1"),
        ("x;\t=1", "x;\t'=1"),
        ('x; "=1"', 'x;\' "=1"'),
        ("x\n- y", "x\n'- y"),
        ("x|@y", "x|'@y"),
        ("x;'y", "x;''y"),
        ("Sep=;", "'Sep=;"),
        ("-5", "-5"),
        ("1;-5", "1;'-5"),
        ("51.5,-0.12", "51.5,-0.12"),
        ("Tel. 030/1, +49 30", "Tel. 030/1, +49 30"),
        ("it's; a 'word'", "it's; a 'word'"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00+02:00"),
    ],
)
def test_only_what_could_run_is_marked(text: str, written: str) -> None:
    assert safe_cell(text) == written
    assert unsafe_cell(written) == text


def test_what_a_person_wrote_in_quotes_stays() -> None:
    assert unsafe_cell("a;'b'") == "a;'b'"


@pytest.mark.parametrize("sign", [";", "\t", " ", ";'", '"', "\r\n", ";=", "'"])
def test_long_texts_take_no_longer_for_what_they_hold(sign: str) -> None:
    text = sign * (1_000_000 // len(sign))
    with costs_at_most(1.5):
        assert unsafe_cell(safe_cell(text)) == text


def test_a_csv_has_its_mark_its_decimals_and_nothing_for_none() -> None:
    content = csv_bytes(["=name", "share"], [["a", 0.12345], ["-5", None]], decimals={"share": 2})
    assert content.decode("utf-8") == "\ufeff'=name,share\r\na,0.12\r\n-5,\r\n"


def test_numbers_that_are_alike_are_not_written_alike() -> None:
    cells = (1, 1.0, None, -0.0, 0.0, 1.0, "1")
    written = csv_bytes(["n"], [[cell] for cell in cells]).decode("utf-8-sig").split("\r\n")[1:-1]
    assert written == ["1", "1.0", '""', "-0.0", "0.0", "1.0", "1"]
    written = csv_bytes(["n"], [[cell] for cell in (0.0, -0.0, 0.0)]).decode("utf-8-sig").split("\r\n")[1:-1]
    assert written == ["0.0", "-0.0", "0.0"]
