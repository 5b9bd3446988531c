"""One look over a sheet's bytes: how large it is, and whether it has anything that the reader leaves out.

Most sheets have nothing of it, and are then not read a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import column_number
from meter_pipeline.ingest.sheets.workbooks.xlsx.cells import all_cells, buffers, cells_with_content

MAX_TAIL_BYTES = 100_000_000
"""What stands behind the rows: links, merged ranges, rules. A million merged ranges have 30 MB."""
_HEAD_BYTES = 20_000
_ROOT = re.compile(rb"<(?:([A-Za-z_][\w.-]{0,50}:))?worksheet[\s>]")
_LINK_MARKS = (b"HYPERLINK", b"IMAGE", b"DISPIMG")
_ANY = rb"(?:[\w.-]{1,50}:)?"
_WITHOUT_RESULT = re.compile(
    b"<" + _ANY + rb"f\b[^<>]*(?:/>|>[^<]*</" + _ANY + rb"f>)\s*(?:<" + _ANY + rb"v(?:/>|></)|</" + _ANY + b"c>)"
)


@dataclass
class Survey:
    """What a sheet's bytes hold.

    Attributes:
        prefix: of the names of its elements, with its colon; mostly empty.
        cells: number of cells, blank ones included.
        last_row: number of the last row with a cell, from 1.
        width: number of columns, counted from A.
        referenced: whether each cell says where it is.
        errors: whether cells hold error values.
        formulas: whether formulas make links, or lack a stored result.
        styled: whether cells have one of the formats that were asked for.
        rich: whether cells have values of other kinds, such as pictures.
        texts: number of cells whose text stands in the part of shared texts.
        tail: the XML behind the rows.
        doctype: whether it declares a document type, which no spreadsheet program does.
    """

    prefix: bytes = b""
    cells: int = 0
    last_row: int = 0
    width: int = 0
    referenced: bool = True
    errors: bool = False
    formulas: bool = False
    styled: bool = False
    rich: bool = False
    texts: int = 0
    tail: bytes = b""
    doctype: bool = False

    @property
    def extent(self) -> int:
        """Rows times columns."""
        return self.last_row * self.width


@dataclass
class Filled:
    """Where the filled cells of a sheet are.

    Attributes:
        widths: number of columns up to the last filled cell, by row number.
        columns: numbers of the columns with a filled cell.
        cells: how many there are.
        last_row: number of the last row with a cell that the reader lays out, filled or not.
        width: number of columns up to the last such cell.
    """

    widths: dict[int, int] = field(default_factory=dict)
    columns: set[int] = field(default_factory=set)
    cells: int = 0
    last_row: int = 0
    width: int = 0


def survey(chunks: Iterable[bytes], styles: Iterable[int] = ()) -> Survey:
    """Look over a sheet's bytes.

    Args:
        chunks: the sheet's XML.
        styles: numbers of the formats to look for.
    """
    pieces = iter(chunks)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= _HEAD_BYTES:
            break
    root = _ROOT.search(head[:_HEAD_BYTES])
    found = Survey(prefix=(root[1] or b"") if root else b"")
    found.doctype = b"<!DOCTYPE" in head[: root.start() if root else _HEAD_BYTES]
    look = _Look(found, [f's="{style}"'.encode("ascii") for style in styles])
    end = b"</" + found.prefix + b"sheetData>"
    tail: list[bytes] = []
    for buffer in buffers(chain([head], pieces), found.prefix):
        at = -1 if tail else buffer.find(end)
        if at >= 0:
            look.at(buffer[:at])
            tail.append(buffer[at:])
        elif not tail:
            look.at(buffer)
        elif sum(map(len, tail)) + len(buffer) < MAX_TAIL_BYTES:
            tail.append(buffer)
    look.finish()
    found.tail = b"".join(tail)
    return found


class _Look:
    """Looks at a sheet's rows, one buffer after the other."""

    def __init__(self, found: Survey, marks: list[bytes]) -> None:
        p = re.escape(found.prefix)
        self._found, self._marks = found, marks
        self._start, self._formula_end = b"<" + found.prefix + b"c", b"</" + found.prefix + b"f>"
        self._cell = re.compile(b"<" + p + rb"c(?=[\s/>])")
        self._reference = re.compile(b"<" + p + rb"""c r="([A-Z]{1,3})(?=\d)""")
        self._row = re.compile(b"<" + p + rb"""row\b[^<>]*?\sr=["'](\d{1,7})["']""")
        self._letters: set[bytes] = set()
        self._rows: set[bytes] = set()

    def at(self, buffer: bytes) -> None:
        found = self._found
        references = self._reference.findall(buffer)
        self._letters.update(references)
        self._rows.update(self._row.findall(buffer))
        cells = len(references)
        if buffer.count(self._start) != cells:  # other elements begin with a c too
            cells = sum(1 for _ in self._cell.finditer(buffer))
        found.cells += cells
        found.referenced &= cells == len(references)
        found.texts += buffer.count(b't="s"')
        found.errors = found.errors or b't="e"' in buffer
        found.styled = found.styled or any(mark in buffer for mark in self._marks)
        if b"'" in buffer:  # the other quotes, which hardly any program writes
            found.texts += buffer.count(b"t='s'")
            found.errors = found.errors or b"t='e'" in buffer
            found.styled = found.styled or (bool(self._marks) and b"s='" in buffer)
        found.rich = found.rich or (found.errors and b' vm="' in buffer)
        if not found.formulas and self._formula_end in buffer:
            upper = buffer.upper()
            found.formulas = any(mark in upper for mark in _LINK_MARKS) or _WITHOUT_RESULT.search(buffer) is not None

    def finish(self) -> None:
        self._found.last_row = max(map(int, self._rows), default=0)
        self._found.width = max((column_number(letters.decode("ascii")) for letters in self._letters), default=0)


def filled_cells(chunks: Iterable[bytes], seen: Survey) -> Filled:
    """Find where the filled cells are; a cell with nothing but a format is blank."""
    found = Filled()
    # Blank cells are passed over where nothing depends on their number: borders make millions of them.
    cells = cells_with_content(chunks, seen.prefix) if seen.referenced else all_cells(chunks, seen.prefix)
    for cell in cells:
        if cell.attributes.endswith(b"/"):
            continue
        found.last_row, found.width = max(found.last_row, cell.row), max(found.width, cell.column + 1)
        if cell.value or cell.formula is not None or cell.kind == "inlineStr":
            found.widths[cell.row] = max(found.widths.get(cell.row, 0), cell.column + 1)
            found.columns.add(cell.column)
            found.cells += 1
    return found
