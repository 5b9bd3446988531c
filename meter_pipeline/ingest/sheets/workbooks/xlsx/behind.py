"""What stands behind the cells of an xlsx sheet."""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area, Behind, Table
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, has_link
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import Place, chunks, elements, tag
from meter_pipeline.ingest.sheets.workbooks.xlsx.cells import Cell, all_cells, wanted_cells
from meter_pipeline.ingest.sheets.workbooks.xlsx.number_formats import DigitFormat
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Package, SheetPart
from meter_pipeline.ingest.sheets.workbooks.xlsx.pictures import pictures_on
from meter_pipeline.ingest.sheets.workbooks.xlsx.survey import Survey
from meter_pipeline.ingest.sheets.workbooks.xlsx.tail import area_of, links_of, merged_of

_SHARED = re.compile(rb"""(?:^|\s)t\s?=\s?["']shared["']""")
_SHARED_ID = re.compile(rb"""(?:^|\s)si\s?=\s?["'](\d{1,9})["']""")
_WPS_PICTURE = re.compile(r"\bDISPIMG\s*\(", re.IGNORECASE)


class _Numbers:
    """Texts of formatted numbers by place, in a tenth of the memory of a dict: a column may have a million of them."""

    def __init__(self) -> None:
        self._rows, self._columns = array("I"), array("H")
        self._texts: list[str] = []

    def add(self, row: int, column: int, text: str) -> None:
        self._rows.append(row)
        self._columns.append(min(column, 65_535))
        self._texts.append(text)

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        return zip(self._rows, self._columns, self._texts, strict=True)


@dataclass
class _Found:
    texts: dict[Place, str] = field(default_factory=dict)
    formulas: dict[Place, Formula] = field(default_factory=dict)
    numbers: _Numbers = field(default_factory=_Numbers)
    shared: dict[bytes, tuple[Cell, bool]] = field(default_factory=dict)
    pictures: int = 0


def xlsx_behind(
    archive: zipfile.ZipFile,
    package: Package,
    sheet: SheetPart,
    seen: Survey,
    formats: Mapping[int, DigitFormat],
    *,
    pictures_in_cells: bool = False,
) -> Behind:
    """Return what stands behind a sheet's cells.

    Args:
        archive: the workbook.
        package: its parts.
        sheet: the sheet, whose part is there.
        seen: what one look over the sheet has shown.
        formats: the workbook's formats of digits and fixed text.
        pictures_in_cells: whether an error value without a formula is a picture, as programs without pictures see it.

    Raises:
        ParseError: the XML of a small part is broken.
        DefusedXmlException: it declares entities.
    """
    found = _Found()
    add_number = found.numbers.add
    for cell in _cells_of_interest(archive, sheet, seen, formats):
        if cell.formula is not None:
            _take_formula(found, cell)
        if cell.kind == "e":
            if pictures_in_cells and cell.formula is None and b" vm=" in cell.attributes:
                found.pictures += 1
                found.texts[cell.row, cell.column] = ""
            elif cell.value:
                found.texts[cell.row, cell.column] = cell.value
        elif cell.kind == "n" and cell.value and cell.style in formats:
            text = formats[cell.style].shown(cell.value)
            if text is not None:
                add_number(cell.row, cell.column, text)
    has_relations = b"hyperlink" in seen.tail or b"drawing" in seen.tail or b"tablePart" in seen.tail
    relations = package.relations(archive, sheet.part) if has_relations else {}
    linked = links_of(seen.tail, relations)
    ranges = [(area, target) for area, target in linked if area[:2] != area[2:]]
    tabled = any("[" in formula.text for formula in found.formulas.values())
    return Behind(
        links={area[:2]: target for area, target in linked if area[:2] == area[2:]},
        texts=found.texts,
        merged=merged_of(seen.tail),
        pictures=found.pictures + (pictures_on(archive, package, sheet.part) if b"drawing" in seen.tail else 0),
        linked_areas=ranges,
        formulas=found.formulas,
        numbers=found.numbers,
        tables=_tables(archive, package, sheet.part) if tabled else (),
    )


def _cells_of_interest(
    archive: zipfile.ZipFile, sheet: SheetPart, seen: Survey, formats: Mapping[int, DigitFormat]
) -> Iterator[Cell]:
    if not (seen.errors or seen.styled or seen.formulas):
        return iter(())
    if seen.formulas or not seen.referenced:
        return all_cells(chunks(archive, sheet.part), seen.prefix)
    wanted = [rb"""\bt=["']e["']"""] if seen.errors else []
    if seen.styled:
        wanted.append(rb"""\bs=["'](?:""" + b"|".join(str(style).encode("ascii") for style in formats) + rb""")["']""")
    return wanted_cells(chunks(archive, sheet.part), seen.prefix, b"|".join(wanted))


def _take_formula(found: _Found, cell: Cell) -> None:
    text, down, right = cell.formula or "", 0, 0
    if b"shared" in cell.formula_attributes and _SHARED.search(cell.formula_attributes):
        identity = _SHARED_ID.search(cell.formula_attributes)
        key = identity[1] if identity else b""
        if text:
            found.shared[key] = cell, has_link(text)
        elif key in found.shared:
            first, links = found.shared[key]
            text, down, right = first.formula or "", cell.row - first.row, cell.column - first.column
            if links or not cell.value:
                found.formulas[cell.row, cell.column] = Formula(text, down, right)
            return
    if _WPS_PICTURE.search(text):
        found.pictures += 1
    elif text and (not cell.value or has_link(text)):
        found.formulas[cell.row, cell.column] = Formula(text)


def _tables(archive: zipfile.ZipFile, package: Package, part: str) -> list[Table]:
    tables = []
    for name in package.related(archive, part, "table"):
        columns: list[str] = []
        for element in elements(archive, name):
            if tag(element) == "tableColumn":
                columns.append(element.get("name", ""))
            elif tag(element) == "table":
                area: Area | None = area_of(element.get("ref", ""))
                if area is not None:
                    tables.append(Table(element.get("displayName", element.get("name", "")), area, columns))
    return tables
