"""How much an ods workbook holds once its repeats are laid out, and what stands behind its cells.

A cell and a row say how often they are repeated, so a file of 1 kB may mean millions of cells with a long text each.
Everything here is counted and kept by what the file says, not by what it means.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area, Behind
from meter_pipeline.ingest.sheets.workbooks.error_cells import is_error
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, has_link
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import DefusedXmlException, ParseError, Place, elements, tag

_PART = "content.xml"
_MOST_REPEATS = 1 << 24
"""Of rows, and of columns: more than any spreadsheet program has."""
_MOST_COPIES = 2_000_000
"""Cells for which something is kept because a cell is repeated; links are kept as areas and do not count."""
_FORMULA_PREFIX = re.compile(r"(?:of|oooc|msoxl|ooow|dde):=?|=")
_PIECE = re.compile(r'"(?:[^"]|"")*"|\[([^\[\]"]{1,400})\]')
_CELL = re.compile(r"(?:\$?('(?:[^']|'')+'|[^.'$:]+))?\.(\$?[A-Z]{1,3}\$?\d{1,7})(?::\.(\$?[A-Z]{1,3}\$?\d{1,7}))?")
_VALUE_SIGN = re.compile(r"[.,%€$£¥]")


@dataclass(frozen=True)
class OdsMeasure:
    """How large the sheets are once laid out.

    Attributes:
        cells: rows times columns of the largest sheet, from A1 to the last filled cell.
        filled: cells with a text or value, of all sheets together.
        characters: of the texts of all cells of all sheets.
    """

    cells: int = 0
    filled: int = 0
    characters: int = 0


@dataclass(frozen=True)
class OdsContent:
    """An ods workbook's measure, and what stands behind the cells of each sheet, by its name."""

    measure: OdsMeasure = OdsMeasure()
    behind: Mapping[str, Behind] = field(default_factory=dict)


def read_ods(archive: zipfile.ZipFile) -> OdsContent:
    """Read a workbook once, before a reader lays it out.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: it declares entities.
    """
    if _PART not in archive.namelist():
        return OdsContent()
    try:
        return _read(archive)
    except (LookupError, ValueError) as error:  # an encoding that is none
        if isinstance(error, DefusedXmlException):
            raise
        raise ParseError(str(error)) from error


def _read(archive: zipfile.ZipFile) -> OdsContent:
    cells = filled = characters = 0
    behind: dict[str, Behind] = {}
    sheet = _Sheet()
    for element in elements(archive, _PART):
        kind = tag(element)
        if kind == "table-row":
            sheet.add_row(element)
        elif kind == "shapes":
            sheet.pictures += sum(1 for _ in _images(element))
        elif kind == "table" and (name := _attribute(element, "name")) is not None and sheet.row:
            cells = max(cells, sheet.last_row * sheet.last_column)
            filled += sheet.filled
            characters += sheet.characters
            behind[name] = sheet.behind()
            sheet = _Sheet()
            element.clear()
    return OdsContent(OdsMeasure(cells, filled, characters), behind)


@dataclass
class _Sheet:
    row: int = 0
    last_row: int = 0
    last_column: int = 0
    filled: int = 0
    characters: int = 0
    pictures: int = 0
    copies: int = 0
    links: dict[Place, str] = field(default_factory=dict)
    areas: list[tuple[Area, str]] = field(default_factory=list)
    texts: dict[Place, str] = field(default_factory=dict)
    numbers: list[tuple[int, int, str]] = field(default_factory=list)
    formulas: dict[Place, Formula] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)

    def add_row(self, element: Element) -> None:
        rows = _repeats(element, "number-rows-repeated")
        column = last = filled = characters = 0
        for cell in element:
            kind = tag(cell)
            if kind not in {"table-cell", "covered-table-cell"}:
                continue
            columns = _repeats(cell, "number-columns-repeated")
            attributes = {key.rpartition("}")[2]: value for key, value in cell.attrib.items()} if cell.attrib else {}
            texts = list(_paragraphs(cell)) if len(cell) else []
            values = [value for name, value in attributes.items() if name.endswith("value")]
            if len(cell) or values:
                last = column + columns
                filled += columns
                characters += columns * max(sum(map(len, texts)), max(map(len, values), default=0))
            if kind == "table-cell" and (len(cell) or "formula" in attributes or "number-rows-spanned" in attributes):
                self._cell(
                    cell, attributes, "\n".join(texts), (self.row + 1, column, self.row + rows, column + columns - 1)
                )
            column += columns
        self.row += rows
        if last:
            self.last_row, self.last_column = self.row, max(self.last_column, last)
            self.filled += rows * filled
            self.characters += rows * characters

    def _cell(self, cell: Element, attributes: Mapping[str, str], text: str, area: Area) -> None:
        first, left = area[:2]
        spans = [attributes.get(f"number-{what}-spanned", "1") for what in ("rows", "columns")]
        high, wide = (min(_MOST_REPEATS, int(span)) if span.isdecimal() and len(span) < 9 else 1 for span in spans)
        if high > 1 or wide > 1:
            self.merged.append((first, left, first + high - 1, left + wide - 1))
        if len(cell):
            self.pictures += sum(1 for _ in _images(cell))
            if targets := list(dict.fromkeys(_targets(cell))):
                self._link(area, "\n".join(targets))
        formula = attributes.get("formula")
        if formula is not None and (has_link(formula) or not text):
            written = _in_common_notation(formula)
            if has_link(written) or ("string-value" not in attributes and "value" not in attributes):
                self._add(area, lambda row, column: self.formulas.setdefault((row, column), Formula(written)))
        shown = text.strip()
        if not shown:
            return
        if is_error(shown) and (formula is not None or attributes.get("value-type") != "string"):
            self._add(area, lambda row, column: self.texts.setdefault((row, column), shown))
        elif attributes.get("value-type") == "float" and _keeps_zeros(shown, attributes.get("value", "")):
            self._add(area, lambda row, column: self.numbers.append((row, column, shown)))

    def _link(self, area: Area, target: str) -> None:
        first, left, last, right = area
        if (first, left) == (last, right):
            self.links[first, left] = target
        else:
            self.areas.append((area, target))

    def _add(self, area: Area, keep: object) -> None:
        first, left, last, right = area
        count = (last - first + 1) * (right - left + 1)
        if self.copies + count > _MOST_COPIES:
            return
        self.copies += count
        for row in range(first, last + 1):
            for column in range(left, right + 1):
                keep(row, column)  # type: ignore[operator]

    def behind(self) -> Behind:
        return Behind(self.links, self.texts, self.merged, self.pictures, self.areas, self.formulas, self.numbers)


def _attribute(element: Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def _repeats(element: Element, name: str) -> int:
    if not element.attrib:
        return 1
    value = _attribute(element, name)
    if value is None or not value.isdecimal():
        return 1
    return min(_MOST_REPEATS, int(value)) if len(value) < 9 else _MOST_REPEATS


def _inside(cell: Element) -> Iterator[Element]:
    """Yield what is inside a cell, but not the remark that is pinned to it."""
    waiting = [child for child in cell if tag(child) != "annotation"][::-1]
    while waiting:
        element = waiting.pop()
        yield element
        waiting.extend(child for child in reversed(element) if tag(child) != "annotation")


def _paragraphs(cell: Element) -> Iterator[str]:
    for child in cell:
        if tag(child) == "p":
            yield "".join(child.itertext())


def _targets(cell: Element) -> Iterator[str]:
    for element in _inside(cell):
        if tag(element) == "a" and (target := _attribute(element, "href")):
            yield target


def _images(element: Element) -> Iterator[Element]:
    return (inner for inner in _inside(element) if tag(inner) == "image")


def _keeps_zeros(shown: str, value: str) -> bool:
    """Whether people see a whole number with zeros before it, as an account is written."""
    digits = re.sub(r"\D", "", shown)
    whole = value.removeprefix("-").removesuffix(".0")
    return (
        len(digits) > len(whole) > 0
        and whole.isdecimal()
        and digits.lstrip("0") == whole.lstrip("0")
        and _VALUE_SIGN.search(shown) is None
    )


def _in_common_notation(formula: str) -> str:
    """Return an OpenFormula as other programs write it: `of:=A([.B2];[$'S 1'.C3])` is `A(B2;'S 1'!C3)`."""
    prefix = _FORMULA_PREFIX.match(formula)
    return _PIECE.sub(_reference, formula[prefix.end() :].removeprefix("=") if prefix else formula)


def _reference(piece: re.Match[str]) -> str:
    found = _CELL.fullmatch(piece[1]) if piece[1] else None
    if found is None:
        return piece[0]
    sheet, first, last = found.groups()
    if sheet and not sheet.startswith("'"):
        sheet = f"'{sheet}'"
    return f"{sheet + '!' if sheet else ''}{first}{':' + last if last else ''}"
