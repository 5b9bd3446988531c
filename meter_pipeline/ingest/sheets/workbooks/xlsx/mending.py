"""A workbook written anew, in memory, so that the reader takes it: parts under their usual names, and cells it knows.

What the reader refuses a whole workbook for (an error value of a newer program, a number that is none, a part with a
backslash in its name) is one cell's or one name's matter. And cells far from the others are brought near, because the
reader lays out all that is between them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import chunks, column_letters, column_number, content_of
from meter_pipeline.ingest.sheets.workbooks.xlsx.cells import buffers, cell_pattern
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Package
from meter_pipeline.ingest.sheets.workbooks.xlsx.survey import Survey

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_REFERENCE = re.compile(rb"""(?:^|(?<=\s))r\s?=\s?["']([A-Z]{1,3})([1-9]\d{0,6})["']""")
_ROW = re.compile(rb"""(?:^|(?<=\s))r\s?=\s?["']([1-9]\d{0,6})["']""")
_TYPE = re.compile(rb"""(?:^|(?<=\s))t\s?=\s?["'](\w{1,20})["']""")
_NUMBER = re.compile(rb"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")
_DATE = re.compile(rb"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?")
_FOLDERS = {
    "worksheet": "worksheets",
    "chartsheet": "chartsheets",
    "dialogsheet": "dialogsheets",
    "xlMacrosheet": "macrosheets",
}
_EMPTY_SHEET = f'<worksheet xmlns="{_MAIN}"><sheetData/></worksheet>'.encode("ascii")


@dataclass(frozen=True)
class Nearer:
    """Rows and columns with filled cells, brought together: the n-th of them becomes row or column n.

    Attributes:
        rows: numbers of the rows with filled cells, from 1, in order.
        columns: numbers of the columns with filled cells, from 0, in order.
    """

    rows: Sequence[int]
    columns: Sequence[int]

    def back(self, rows: Iterable[list[str]], first: int) -> list[list[str]]:
        """Put texts of cells back to where they were, from the first row with a filled cell on; ends are cut off.

        Args:
            rows: as they were read.
            first: number of the first column that was read.
        """
        placed: list[list[str]] = []
        first_row, first_column, columns = self.rows[0], self.columns[0], self.columns[first:]
        for number, cells in zip(self.rows, rows, strict=False):
            placed.extend([] for _ in range(number - first_row - len(placed)))
            filled = [(column, text) for column, text in zip(columns, cells, strict=False) if text]
            row = [""] * (filled[-1][0] - first_column + 1 if filled else 0)
            for column, text in filled:
                row[column - first_column] = text
            placed.append(row)
        return placed


def mended(
    archive: zipfile.ZipFile, package: Package, surveys: Mapping[str, Survey], nearer: Mapping[str, Nearer]
) -> bytes:
    """Return the workbook anew.

    Args:
        archive: the workbook.
        package: its parts.
        surveys: what was seen of its sheets, by their parts.
        nearer: sheets, by their parts, whose cells are brought together.
    """
    texts = sum(content.count(b"<si") + content.count(b":si") for content in _of(archive, package.strings))
    relations: list[tuple[str, str, str]] = []
    anew = io.BytesIO()
    with zipfile.ZipFile(anew, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        new.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        new.writestr("xl/workbook.xml", content_of(archive, package.workbook))
        for number, sheet in enumerate(package.sheets, 1):
            target = f"{_FOLDERS.get(sheet.kind, 'others')}/sheet{number}.xml"
            relations.append((sheet.relation, sheet.kind, target))
            with new.open(f"xl/{target}", "w", force_zip64=True) as part:
                if sheet.part in surveys:
                    near = nearer.get(sheet.part)
                    for piece in _sheet(chunks(archive, sheet.part), surveys[sheet.part].prefix, near, texts):
                        part.write(piece)
                else:
                    part.write(_EMPTY_SHEET)
        for kind, name in (("sharedStrings", package.strings), ("styles", package.styles)):
            if name:
                relations.append((f"{kind}Part", kind, f"{kind}.xml"))
                with new.open(f"xl/{kind}.xml", "w", force_zip64=True) as part:
                    for piece in chunks(archive, name):
                        part.write(piece)
        new.writestr("xl/_rels/workbook.xml.rels", _relations(relations))
    return anew.getvalue()


def _of(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    return chunks(archive, part) if part else iter(())


def _relations(relations: Iterable[tuple[str, str, str]]) -> str:
    lines = (
        f'<Relationship Id={quoteattr(identity)} Type="{_OFFICE}/{kind}" Target={quoteattr(target)}/>'
        for identity, kind, target in relations
    )
    return f'<Relationships xmlns="{_PACKAGE}">{"".join(lines)}</Relationships>'


def _sheet(pieces: Iterable[bytes], prefix: bytes, near: Nearer | None, texts: int) -> Iterator[bytes]:
    pattern = cell_pattern(prefix)
    anew = _Anew(near, texts)
    for buffer in buffers(pieces, prefix):
        yield pattern.sub(anew.rewritten, buffer)


class _Anew:
    """Writes rows and cells anew, one after the other."""

    def __init__(self, near: Nearer | None, texts: int) -> None:
        self._row = self._column = 0
        self._texts = texts
        self._rows = {number: place for place, number in enumerate(near.rows, 1)} if near else None
        self._columns = {number: place for place, number in enumerate(near.columns)} if near else {}

    def rewritten(self, match: re.Match[bytes]) -> bytes:
        """Return a row's start, or a cell up to its value, as the reader takes it."""
        whole = match[0]
        about = match["row"]
        if about is not None:
            number = _ROW.search(about)
            self._row, self._column = int(number[1]) if number else self._row + 1, 0
            if self._rows is None:
                return whole
            # Each cell gets its own place below; the row's number only has to be one that there is.
            return _replaced(match, "row", about, b"/" if about.endswith(b"/") else b"")
        attributes = match["attributes"]
        reference = _REFERENCE.search(attributes)
        if reference is not None:
            self._row, self._column = int(reference[2]), column_number(reference[1].decode("ascii")) - 1
        row, column = self._row, self._column
        self._column += 1
        kind = _TYPE.search(attributes)
        to_row, to_column = row, column
        if self._rows is not None:
            to_row, to_column = self._rows.get(row, 0), self._columns.get(column, -1)
        lost = kind is not None and kind[1] == b"s" and not _is_text(match["value"], self._texts)
        if not to_row or to_column < 0 or lost:
            # Blank: the reader passes over cells without a value, wherever they are.
            return whole[: match.start("attributes") - match.start()] + (b"/>" if attributes.endswith(b"/") else b">")
        new = attributes
        if _is_strange(kind[1] if kind else b"n", match["value"]):
            new = b' t="str"' + _TYPE.sub(b"", new, count=1)
        if self._rows is not None:
            new = b' r="%s%d"' % (column_letters(to_column).encode("ascii"), to_row) + _REFERENCE.sub(b"", new, count=1)
        return _replaced(match, "attributes", match["attributes"], new)


def _replaced(match: re.Match[bytes], group: str, old: bytes, new: bytes) -> bytes:
    at = match.start(group) - match.start()
    return match[0][:at] + new + match[0][at + len(old) :]


def _is_text(value: bytes | None, texts: int) -> bool:
    """Return whether a cell's value is the number of a text that cells share, or nothing."""
    return value is None or (value.strip().isdigit() and len(value) < 12 and int(value) < texts)


def _is_strange(kind: bytes, value: bytes | None) -> bool:
    """Return whether the reader would refuse the workbook for this cell."""
    if kind == b"e":
        return True
    if value is None or kind in {b"s", b"str", b"inlineStr"}:
        return False
    if kind == b"b":
        return value.strip() not in {b"0", b"1"}
    if kind == b"d":
        return not _DATE.fullmatch(value)
    return kind != b"n" or (value != b"" and not _NUMBER.fullmatch(value))
