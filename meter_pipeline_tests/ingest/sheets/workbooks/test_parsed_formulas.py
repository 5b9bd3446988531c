"""Parsed expressions of binary workbooks as text."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.workbooks.parsed_formulas import Book, Version, formula_text, may_link

BOOK = Book(8, ["_xlfn.IMAGE"], {0: "It's"})


def _text(text: str) -> bytes:
    return b"\x17" + bytes([len(text), 0]) + text.encode("latin-1")


LINK = b"\x42\x02\x67\x01"
FORMULAS = {
    _text("http://a/1") + _text("open") + LINK: 'HYPERLINK("http://a/1","open")',
    _text('a"b'): '"a""b"',
    b"\x17\x01\x01\x2d\x4e": '"中"',
    _text("a") + b"\x44\x01\x00\x00\xc0\x08": '"a"&A2',
    b"\x24\x01\x00\x02\x00": "$C$2",
    b"\x25\x00\x00\x02\x00\x00\xc0\x01\xc0": "A1:B3",
    b"\x5a\x00\x00\x04\x00\x00\xc0": "'It''s'!A5",
    b"\x1e\x07\x00\x1f" + struct.pack("<d", 1.5) + b"\x05": "7*1.5",
    b"\x1e\x01\x00\x15\x13\x14": "-(1)%",
    b"\x23\x01\x00\x00\x00" + _text("http://a/1") + b"\x22\x02\xff\x00": '_xlfn.IMAGE("http://a/1")',
    b"\x1d\x01"
    + b"\x19\x02\x05\x00"
    + _text("a")
    + b"\x19\x08\x05\x00"
    + _text("b")
    + b"\x42\x03\x01\x00": 'IF(TRUE,"a","b")',
    _text("a") + b"\x16" + b"\x42\x02\x73\x00": 'LEFT("a",)',
    b"\x24\x00\x00\x00\xc0" + _text("000") + b"\x41\x30\x00": 'TEXT(A1,"000")',
    b"\x4c\xff\xff\xff\xc0": "C4",
}


@pytest.mark.parametrize("tokens", FORMULAS)
def test_tokens(tokens: bytes) -> None:
    # References near the cell count from D5.
    assert formula_text(tokens, BOOK, 4, 3) == FORMULAS[tokens]


@pytest.mark.parametrize("tokens", [b"", b"\x08", _text("a") * 2, b"\x17\xff\x00a", b"\x41\xf0\x0f", b"\x7f", LINK])
def test_what_is_not_read_or_damaged_is_left_out(tokens: bytes) -> None:
    assert formula_text(tokens, BOOK, 0, 0) is None


def test_a_long_expression_is_left_out_soon() -> None:
    assert formula_text(_text("a" * 200) + (_text("b" * 200) + b"\x08") * 200, BOOK, 0, 0) is None
    assert formula_text(b"\x1e\x01\x00" + b"\x13" * 60_000, BOOK, 0, 0) is None


def test_a_glance() -> None:
    assert may_link(LINK, BOOK)
    assert may_link(b"\x22\x02\xff\x00", BOOK)
    assert not may_link(b"\x22\x02\xff\x00", Book(8))


@settings(max_examples=500, deadline=None)
@given(tokens=st.binary(max_size=60), version=st.sampled_from([5, 8, 12]))
def test_no_tokens_break_the_reader(tokens: bytes, version: Version) -> None:
    formula_text(tokens, Book(version, ["a"], {0: "S"}), 3, 3)
