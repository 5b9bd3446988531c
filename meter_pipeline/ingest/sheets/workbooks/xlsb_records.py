"""What stands behind the cells of an xlsb workbook: links, formulas of links, merged ranges, formats of zeros, errors.

Its parts are those of xlsx, but most of them are records instead of XML ([MS-XLSB] 2.1.4): type, length, content.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area, Behind
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, has_link
from meter_pipeline.ingest.sheets.workbooks.parsed_formulas import Book, formula_text, may_link, shared_at
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import Place, content_of, elements, tag
from meter_pipeline.ingest.sheets.workbooks.xls_records import (
    NAMES_OF_ERRORS,
    NOT_AVAILABLE,
    UNKNOWN_ERROR,
    short_number,
)
from meter_pipeline.ingest.sheets.workbooks.xlsx.number_formats import DigitFormat, digit_format

_ROW, _SHORT_NUMBER, _ERROR, _NUMBER = 0, 2, 3, 5
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_TRUTH, _FORMULA_ERROR = 8, 9, 10, 11
_FILLED_CELLS = frozenset(range(_SHORT_NUMBER, _FORMULA_ERROR + 1))
"""Types of the records of cells with a value, each of which begins with its column."""
_NAME, _FORMAT, _STYLE, _SHEET, _MERGED = 39, 44, 47, 156, 176
_SELF, _SAME, _OTHER_BOOK, _ADD_IN, _SHEET_REFERENCES = 357, 358, 355, 667, 362
_SHARED, _LINK, _STYLES_BEGIN, _STYLES_END = 427, 494, 617, 618
_GLANCE = re.compile(
    rb"\x03\x09..\x00\x00|\x0b[\x10-\x7f]..\x00\x00"  # an error, stored or of a formula
    rb"|\x67\x01|[\x22\x42\x62].\xff\x00|\xab\x03"  # HYPERLINK, a newer function, a shared formula
    rb"|\xee\x03|\xb0\x01\x10",  # links, merged ranges
    re.DOTALL,
)
_SHARED_TEXT, _SHARED_TEXT_ITEM = 7, 19
_SHARED_TEXT_HEAD = b"\x07\x0c"
_HARMLESS_CHARACTERS = 50_000_000
_DAMAGED = (struct.error, IndexError, ValueError)
_MAX_TEXT = 1 << 20


@dataclass(frozen=True)
class XlsbContent:
    """What one walk over an xlsb workbook gives.

    Attributes:
        behind: what stands behind the cells of each sheet, by its name.
        cells: rows times columns of the largest sheet, counted from A1, as a reader lays them out; blank cells with a
            format do not count. A cell far away, typed by accident or put there on purpose, makes billions.
        characters: of the shared texts of all cells together; a long text may stand in many cells.
        mended: parts with error values that readers do not know as `#N/A`, by the part's name; empty without any.
    """

    behind: dict[str, Behind]
    cells: int
    characters: int
    mended: dict[str, bytes]


def read_xlsb(archive: zipfile.ZipFile) -> XlsbContent:
    """Read a workbook's records before a reader lays its cells out; what is damaged is left out.

    Args:
        archive: the workbook.

    Raises:
        ParseError: the XML of its relations is broken.
        DefusedXmlException: it declares entities.
        BadZipFile: a part is damaged.
    """
    sheets, cells, characters = _sheets(archive)
    mended = {sheet.part: sheet.mended for sheet in sheets.values() if sheet.mended}
    return XlsbContent({name: sheet.behind for name, sheet in sheets.items()}, cells, characters, mended)


@dataclass(frozen=True)
class _Found:
    part: str
    behind: Behind
    mended: bytes = b""


def _sheets(archive: zipfile.ZipFile) -> tuple[dict[str, _Found], int, int]:
    names = {name.replace("\\", "/").lower().lstrip("/"): name for name in archive.namelist()}
    main = next((name for name in names if name.endswith("workbook.bin")), None)
    if main is None:
        return {}, 0, 0
    targets = _relations(archive, names, main)
    book, sheets = _book(content_of(archive, names[main]))
    shown = _formats(archive, names, targets)
    lengths = _shared_lengths(archive, names, targets)
    cells = characters = 0
    found: dict[str, _Found] = {}
    read: dict[str, _Found] = {}
    for name, relation in sheets:
        part = targets.get(relation, "")
        if part not in names:
            continue
        if part not in read:
            content = content_of(archive, names[part])
            cells = max(cells, _extent(content))
            characters += _shared_characters(content, lengths)
            sheet = _Sheet(book, shown, _relations(archive, names, part))
            if shown or _GLANCE.search(content) is not None:
                sheet.read(content)
            read[part] = _Found(names[part], sheet.behind(), sheet.mended(content))
        found[name] = read[part]
    return found, cells, characters


def _extent(content: bytes) -> int:
    row = last_row = last_column = 0
    for kind, start, end in _records(content):
        if end - start < 4:
            continue
        number = int.from_bytes(content[start : start + 4], "little") + 1
        if kind == _ROW:
            row = number
        elif kind in _FILLED_CELLS:
            last_row, last_column = max(last_row, row), max(last_column, number)
    return last_row * last_column


def _shared_lengths(archive: zipfile.ZipFile, names: Mapping[str, str], targets: Mapping[str, str]) -> list[int]:
    part = next((names[t] for t in targets.values() if t.endswith("sharedstrings.bin") and t in names), None)
    content = content_of(archive, part) if part else b""
    return [
        int.from_bytes(content[start + 1 : start + 5], "little")
        for kind, start, end in _records(content)
        if kind == _SHARED_TEXT_ITEM and end - start >= 5
    ]


def _shared_characters(content: bytes, lengths: Sequence[int]) -> int:
    # Each cell with a shared text has this head, and few other places look like it.
    most = content.count(_SHARED_TEXT_HEAD) * max(lengths, default=0)
    if most <= _HARMLESS_CHARACTERS:
        return most
    numbers = (
        int.from_bytes(content[start + 8 : start + 12], "little")
        for kind, start, _ in _records(content)
        if kind == _SHARED_TEXT
    )
    return sum(lengths[number] for number in numbers if number < len(lengths))


def _relations(archive: zipfile.ZipFile, names: Mapping[str, str], part: str) -> dict[str, str]:
    """Return the targets of a part's relations: addresses as they are, parts by their full names in small letters."""
    folder, _, name = part.rpartition("/")
    its = names.get(f"{folder}/_rels/{name}.rels".lstrip("/"))
    targets: dict[str, str] = {}
    for element in elements(archive, its) if its else ():
        if tag(element) == "Relationship":
            target = element.get("Target", "")
            if element.get("TargetMode", "").lower() != "external":
                inside = target.replace("\\", "/").lower()
                target = inside.lstrip("/") if inside.startswith("/") else normpath(join(dirname(part), inside))
            targets[element.get("Id", "")] = target
    return targets


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and end of each record's content."""
    at, size = 0, len(content)
    while at < size:
        kind = content[at]
        at += 1
        if kind & 0x80 and at < size:
            kind = kind & 0x7F | content[at] << 7
            at += 1
        length = shift = 0
        while at < size and shift < 28:
            byte = content[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        yield kind, at, min(size, at + length)
        at += length


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return a text with its length before it, and where it ends; a length of -1 is no text."""
    (length,) = struct.unpack_from("<I", content, at)
    if length == 0xFFFFFFFF:
        return "", at + 4
    if length > _MAX_TEXT or at + 4 + 2 * length > len(content):
        raise ValueError("a text that ends behind the record")
    end = at + 4 + 2 * length
    return content[at + 4 : end].decode("utf-16-le", "replace"), end


def _book(content: bytes) -> tuple[Book, list[tuple[str, str]]]:
    """Return what formulas refer to, and names and relations of the sheets."""
    sheets: list[tuple[str, str]] = []
    names: list[str] = []
    supports: list[bool] = []
    references: list[tuple[int, int, int]] = []
    for kind, start, end in _records(content):
        record = content[start:end]
        try:
            if kind == _SHEET:
                relation, at = _text(record, 8)
                sheets.append((_text(record, at)[0], relation))
            elif kind == _NAME:
                names.append(_text(record, 9)[0])
            elif kind in {_SELF, _SAME, _OTHER_BOOK, _ADD_IN}:
                supports.append(kind == _SELF)
            elif kind == _SHEET_REFERENCES:
                (count,) = struct.unpack_from("<I", record)
                places = range(4, min(len(record) - 11, 4 + 12 * count), 12)
                references.extend(struct.unpack_from("<Iii", record, at) for at in places)
        except _DAMAGED:
            continue
    referred = {
        number: sheets[first][0]
        for number, (book, first, last) in enumerate(references)
        if first == last and 0 <= first < len(sheets) and book < len(supports) and supports[book]
    }
    return Book(12, names, referred), sheets


def _formats(archive: zipfile.ZipFile, names: Mapping[str, str], targets: Mapping[str, str]) -> dict[int, DigitFormat]:
    part = next((names[t] for t in targets.values() if t.endswith("styles.bin") and t in names), None)
    if part is None:
        return {}
    content = content_of(archive, part)
    codes: dict[int, str] = {}
    styles: list[int] = []
    of_cells = False
    for kind, start, end in _records(content):
        try:
            if kind == _FORMAT:
                codes[struct.unpack_from("<H", content, start)[0]] = _text(content[start:end], 2)[0]
            elif kind in {_STYLES_BEGIN, _STYLES_END}:
                of_cells = kind == _STYLES_BEGIN
            elif kind == _STYLE and of_cells:
                styles.append(struct.unpack_from("<HH", content, start)[1])
        except _DAMAGED:
            continue
    formats = {number: digit_format(code) for number, code in codes.items()}
    found = ((style, formats.get(number)) for style, number in enumerate(styles))
    return {style: shown for style, shown in found if shown is not None}


@dataclass
class _Sheet:
    book: Book
    shown: Mapping[int, DigitFormat]
    targets: Mapping[str, str]
    links: dict[Place, str] = field(default_factory=dict)
    areas: list[tuple[Area, str]] = field(default_factory=list)
    texts: dict[Place, str] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)
    numbers: list[tuple[int, int, str]] = field(default_factory=list)
    shared: dict[tuple[int, int], bytes] = field(default_factory=dict)
    formulas: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)
    unknown_errors: list[int] = field(default_factory=list)

    def read(self, content: bytes) -> None:
        row = 0
        for kind, start, end in _records(content):
            try:
                if kind == _ROW:
                    (row,) = struct.unpack_from("<I", content, start)
                elif kind <= _FORMULA_ERROR:
                    self._cell(content, kind, row, start, end)
                elif kind == _LINK:
                    self._link(content[start:end])
                elif kind == _MERGED:
                    first, last, left, right = struct.unpack_from("<IIII", content, start)
                    self.merged.append((first + 1, left, last + 1, right))
                elif kind == _SHARED:
                    first, _, left, _, size = struct.unpack_from("<IIIII", content, start)
                    self.shared[first, left] = content[start + 20 : min(end, start + 20 + size)]
            except _DAMAGED:
                continue

    def _cell(self, content: bytes, kind: int, row: int, start: int, end: int) -> None:
        column, style = struct.unpack_from("<II", content, start)
        style &= 0xFFFFFF
        if kind in {_ERROR, _FORMULA_ERROR}:
            self._error(content, row, column, start + 8)
        if style in self.shown:
            if kind == _SHORT_NUMBER:
                self._number(row, column, style, short_number(struct.unpack_from("<I", content, start + 8)[0]))
            elif kind in {_NUMBER, _FORMULA_NUMBER}:
                self._number(row, column, style, struct.unpack_from("<d", content, start + 8)[0])
        if kind < _FORMULA_TEXT:
            return
        if kind == _FORMULA_TEXT:
            at = start + 12 + 2 * int(struct.unpack_from("<I", content, start + 8)[0])
        else:
            at = start + 8 + (8 if kind == _FORMULA_NUMBER else 1)
        (size,) = struct.unpack_from("<I", content, at + 2)
        tokens = content[at + 6 : min(end, at + 6 + size)]
        if shared_at(tokens) or may_link(tokens, self.book):
            self.formulas.append((row, column, tokens, content[at + 6 + size : min(end, at + 14 + size)]))

    def _error(self, content: bytes, row: int, column: int, at: int) -> None:
        name = NAMES_OF_ERRORS.get(content[at])
        if name is None:
            self.unknown_errors.append(at)
        self.texts[row + 1, column] = name or UNKNOWN_ERROR

    def _number(self, row: int, column: int, style: int, value: float) -> None:
        if (text := self.shown[style].shown(f"{value:.15g}")) is not None:
            self.numbers.append((row + 1, column, text))

    def _link(self, record: bytes) -> None:
        first, last, left, right = struct.unpack_from("<IIII", record)
        relation, at = _text(record, 16)
        place, _ = _text(record, at)
        target = self.targets.get(relation, "") + (f"#{place}" if place else "")
        if target and (first, left) == (last, right):
            self.links[first + 1, left] = target
        elif target:
            self.areas.append(((first + 1, left, last + 1, right), target))

    def behind(self) -> Behind:
        anchored = {anchor: formula_text(tokens, self.book, *anchor) for anchor, tokens in self.shared.items()}
        formulas: dict[Place, Formula] = {}
        for row, column, tokens, extra in self.formulas:
            down = right = 0
            if shared_at(tokens):
                anchor = (_number_at(tokens, 1), _number_at(extra, 4))
                text, down, right = anchored.get(anchor), row - anchor[0], column - anchor[1]
            else:
                text = formula_text(tokens, self.book, row, column)
            if text is not None and has_link(text):
                formulas[row + 1, column] = Formula(text, down, right)
        return Behind(self.links, self.texts, self.merged, 0, self.areas, formulas, self.numbers)

    def mended(self, content: bytes) -> bytes:
        if not self.unknown_errors:
            return b""
        changed = bytearray(content)
        for at in self.unknown_errors:
            changed[at] = NOT_AVAILABLE
        return bytes(changed)


def _number_at(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "little")
