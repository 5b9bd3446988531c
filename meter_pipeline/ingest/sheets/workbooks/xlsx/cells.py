"""Cells in the XML of a sheet, found by patterns in its bytes: ten times as fast as a parser, and linear in them.

No part of a pattern runs over a `<`: otherwise a file made of `<c <c <c` would be searched to its end from each.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_number

MAX_CELL_BYTES = 64_000_000
"""No cell is as long; a part without cells is cut here, so that it is not gathered in memory."""
_MAX_ATTRIBUTES_BYTES = 500
_REFERENCE = re.compile(rb"""(?:^|\s)r\s?=\s?["']([A-Z]{1,3})([1-9]\d{0,6})["']""")
_ROW = re.compile(rb"""(?:^|\s)r\s?=\s?["']([1-9]\d{0,6})["']""")
_TYPE = re.compile(rb"""(?:^|\s)t\s?=\s?["'](\w{1,20})["']""")
_STYLE = re.compile(rb"""(?:^|\s)s\s?=\s?["'](\d{1,5})["']""")


class Cell(NamedTuple):
    """A cell as its XML says it.

    Attributes:
        row: number from 1.
        column: number from 0.
        kind: its `t`: `n`, `s`, `str`, `e`, ...
        style: number of its format.
        attributes: all of its attributes.
        formula: text of its formula; None if it has none.
        formula_attributes: attributes of the formula.
        value: what is stored; None if nothing is.
    """

    row: int
    column: int
    kind: str
    style: int
    attributes: bytes
    formula: str | None
    formula_attributes: bytes
    value: str | None


def buffers(chunks: Iterable[bytes], prefix: bytes) -> Iterator[bytes]:
    """Yield the bytes again, cut between cells instead of inside of them."""
    starts = (b"<" + prefix + b"c ", b"<" + prefix + b"row")
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        cut = max(chunk.rfind(start) for start in starts)
        if cut < 0 and size < MAX_CELL_BYTES:
            pieces.append(chunk)
            size += len(chunk)
            continue
        pieces.append(chunk[: max(cut, 0)])
        yield b"".join(pieces)
        pieces, size = [chunk[max(cut, 0) :]], len(chunk) - cut
    yield b"".join(pieces)


@lru_cache(maxsize=64)
def cell_pattern(prefix: bytes, *, content: bool = False) -> re.Pattern[bytes]:
    """Return a pattern of the starts of rows, and of cells up to their values; or only of cells with any content."""
    p = re.escape(prefix)
    rows, end = (rb"", rb"(?<!/)>") if content else (rb"row\b(?P<row>[^<>]*)>|", b">")
    return re.compile(
        b"<" + p + rb"(?:" + rows + rb"c(?=[\s/>])(?P<attributes>[^<>]*)" + end +
        rb"(?:\s*<" + p + rb"f(?=[\s/>])(?P<about>[^<>]*)>(?:(?P<formula>[^<]*)</" + p + rb"f>)?)?"
        rb"(?:\s*<" + p + rb"v(?=[\s/>])[^<>]*>(?:(?P<value>[^<]*)</" + p + rb"v>)?)?)"
    )  # fmt: skip


def cells_with_content(chunks: Iterable[bytes], prefix: bytes) -> Iterator[Cell]:
    """Yield the cells that have more than a format, in a sheet where each cell has its reference."""
    pattern = cell_pattern(prefix, content=True)
    for buffer in buffers(chunks, prefix):
        for match in pattern.finditer(buffer):
            place = _REFERENCE.search(match["attributes"])
            if place is not None:
                yield _cell(int(place[2]), column_number(place[1].decode("ascii")) - 1, match)


@lru_cache(maxsize=64)
def _number_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """Return a pattern of a number's cell as nearly all programs write it; the other one takes twice as long."""
    start = b"<" + re.escape(prefix) + rb'c r="([A-Z]{1,3})([1-9]\d{0,6})" s="(\d{1,5})"(?: t="n")?>'
    return re.compile(start + b"<" + re.escape(prefix) + rb"v>(\d{1,15})<")


def all_cells(chunks: Iterable[bytes], prefix: bytes) -> Iterator[Cell]:
    """Yield all cells, blank ones included; a cell or row without a number comes after the one before it."""
    pattern = cell_pattern(prefix)
    row = column = 0
    for buffer in buffers(chunks, prefix):
        for match in pattern.finditer(buffer):
            about_row = match["row"]
            if about_row is not None:
                numbered = _ROW.search(about_row)
                row, column = int(numbered[1]) if numbered else row + 1, 0
                continue
            attributes = match["attributes"]
            place = _REFERENCE.search(attributes)
            if place is not None:
                row, column = int(place[2]), column_number(place[1].decode("ascii")) - 1
            yield _cell(row, column, match)
            column += 1


def wanted_cells(chunks: Iterable[bytes], prefix: bytes, wanted: bytes) -> Iterator[Cell]:
    """Yield the cells with a wanted attribute, in a sheet where each cell has its reference.

    Args:
        chunks: the sheet's XML.
        prefix: of the names of its elements.
        wanted: pattern of the attributes.
    """
    pattern, number, attributes = cell_pattern(prefix), _number_pattern(prefix), re.compile(wanted)
    start = b"<" + prefix + b"c"
    columns: dict[bytes, int] = {}
    for buffer in buffers(chunks, prefix):
        last = -1
        for hit in attributes.finditer(buffer):
            begin = buffer.rfind(start, max(0, hit.start() - _MAX_ATTRIBUTES_BYTES), hit.start())
            if begin <= last:
                continue  # the same cell again
            usual = number.match(buffer, begin)
            if usual is not None:
                letters, row, style, value = usual.groups()
                column = columns.get(letters)
                if column is None:
                    column = columns[letters] = column_number(letters.decode("ascii")) - 1
                last = begin
                yield Cell(int(row), column, "n", int(style), b"", None, b"", value.decode("ascii"))
                continue
            match = pattern.match(buffer, begin)
            if match is None or match["attributes"] is None or hit.start() > match.end("attributes"):
                continue  # text that looks like an attribute
            last = begin
            place = _REFERENCE.search(match["attributes"])
            if place is not None:
                yield _cell(int(place[2]), column_number(place[1].decode("ascii")) - 1, match)


def text_of(content: bytes) -> str:
    """Return the text of XML characters."""
    text = content.decode("utf-8", errors="replace")
    return html.unescape(text) if "&" in text else text


def _cell(row: int, column: int, match: re.Match[bytes]) -> Cell:
    attributes = match["attributes"]
    kind, style = _TYPE.search(attributes), _STYLE.search(attributes)
    about, formula, value = match["about"], match["formula"], match["value"]
    return Cell(
        row,
        column,
        kind[1].decode("ascii", "replace") if kind else "n",
        int(style[1]) if style else 0,
        attributes,
        None if about is None else text_of(formula or b""),
        about or b"",
        None if value is None else text_of(value),
    )
