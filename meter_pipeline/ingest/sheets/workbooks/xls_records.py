"""What stands behind the cells of an xls workbook: links, formulas of links, merged ranges, formats of zeros, errors.

The workbook is one stream of records ([MS-XLS], and Excel 95's BIFF5): type, length, content. A part of it is one
sheet, and begins where the workbook's list of sheets says.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from meter_pipeline.ingest.sheets.workbooks.behind_cells import Area, Behind
from meter_pipeline.ingest.sheets.workbooks.compound_files import replaced, stream
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula, has_link
from meter_pipeline.ingest.sheets.workbooks.parsed_formulas import Book, formula_text, may_link, shared_at
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import Place
from meter_pipeline.ingest.sheets.workbooks.xlsx.number_formats import DigitFormat, digit_format

_BEGIN, _END, _CONTINUE, _PASSWORD = 0x0809, 0x0A, 0x3C, 0x2F
_SHEET, _FORMAT, _STYLE, _CODEPAGE, _NAME, _SHEET_REFERENCES = 0x85, 0x41E, 0xE0, 0x42, 0x18, 0x17
_FORMULA, _OLD_FORMULA, _SHARED, _LINK, _MERGED, _ERROR = 0x06, 0x406, 0x4BC, 0x1B8, 0xE5, 0x205
_NUMBER, _SHORT_NUMBER, _SHORT_NUMBERS = 0x203, 0x27E, 0xBD
NAMES_OF_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
NOT_AVAILABLE = 0x2A
UNKNOWN_ERROR = "#UNKNOWN!"
_ERROR_RESULT = re.compile(rb"\x02\x00.\x00\x00\x00\xff\xff", re.DOTALL)
_GLANCE = re.compile(
    rb"\x05\x02\x08\x00"  # an error or a truth value
    rb"|\x02\x00.\x00\x00\x00\xff\xff"  # a formula's stored error
    rb"|[\x22\x42\x62].(?:\x67\x01|\xff\x00)"  # HYPERLINK, or a function of a newer program
    rb"|\xb8\x01..\x00|\xe5\x00..",  # links, merged ranges
    re.DOTALL,
)
"""What ordinary sheets of rows have nothing of, so that their records need not be looked at one by one."""
_URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")
_FILE_MONIKER = bytes.fromhex("0303000000000000c000000000000046")
_HAS_MONIKER, _HAS_PLACE, _HAS_TEXT, _HAS_FRAME, _MONIKER_IS_TEXT = 0x1, 0x8, 0x10, 0x80, 0x100
_DAMAGED = (struct.error, IndexError, ValueError)
_SHARED_TEXTS = 0xFC
_SHARED_TEXT_HEAD = b"\xfd\x00\x0a\x00"
_SHARED_TEXT = re.compile(rb"\xfd\x00\x0a\x00.{6}(.{4})", re.DOTALL)
_EXTENT = re.compile(rb"\x00\x02\x0e\x00(.{12})", re.DOTALL)
_ONE_CELL = struct.pack("<IIHH", 0, 1, 0, 1)
_MOST_ROWS, _MOST_COLUMNS = 65_536, 256
_HARMLESS_CHARACTERS = 50_000_000
"""Up to here the texts need not be counted one by one."""
_STREAMS = ("Workbook", "Book")


@dataclass(frozen=True)
class XlsContent:
    """What one walk over an xls workbook gives.

    Attributes:
        behind: what stands behind the cells of each sheet, by its name.
        characters: of the shared texts of all cells together; a long text may stand in many cells.
        mended: the file with error values that readers do not know as `#N/A`, and no sheet said to be larger than
            sheets can be; the file itself if nothing is wrong.
    """

    behind: dict[str, Behind]
    characters: int
    mended: bytes


def read_xls(content: bytes) -> XlsContent:
    """Read a workbook's records before a reader lays its cells out; what is damaged is left out.

    Args:
        content: the file.
    """
    book = stream(content, *_STREAMS)
    reader = _Reader(book)
    behind = reader.behind()
    mended = content
    too_large = _too_large(book)
    if reader.unknown_errors or too_large:
        changed = bytearray(book)
        for at in reader.unknown_errors:
            changed[at] = NOT_AVAILABLE
        for at in too_large:
            changed[at + 4 : at + 16] = _ONE_CELL
        mended = next((made for name in _STREAMS if (made := replaced(content, name, bytes(changed)))), content)
    return XlsContent(behind, shared_characters(book), mended)


def _too_large(book: bytes) -> list[int]:
    """Return where sheets are said to be larger than sheets can be: readers make room for what is said."""
    suspected = {m.start() for m in _EXTENT.finditer(book) if not _can_be(*struct.unpack("<IIHH", m[1]))}
    if not suspected:
        return []
    found: list[int] = []
    at = 0
    while at + 4 <= len(book):
        if at in suspected:
            found.append(at)
        at += 4 + int.from_bytes(book[at + 2 : at + 4], "little")
    return found


def _can_be(first_row: int, after_row: int, first_column: int, after_column: int) -> bool:
    # A last cell before the first makes a reader reckon with billions.
    return first_row <= after_row <= _MOST_ROWS and first_column <= after_column <= _MOST_COLUMNS


def shared_characters(book: bytes) -> int:
    """Return how many characters of shared texts the cells have together."""
    cells = book.count(_SHARED_TEXT_HEAD)
    lengths = _shared_lengths(book) if cells * len(book) > _HARMLESS_CHARACTERS else []
    if cells * max(lengths, default=0) <= _HARMLESS_CHARACTERS:
        return cells * max(lengths, default=0)
    return sum(
        lengths[number]
        for match in _SHARED_TEXT.finditer(book)
        if (number := int.from_bytes(match[1], "little")) < len(lengths)
    )


def _shared_lengths(book: bytes) -> list[int]:
    """Return the lengths of the shared texts; they run on from record to record, which is left out of account.

    Where a text is cut by a record's end the next record begins with a byte of flags, so all records are joined with
    the places of those bytes known.
    """
    pieces: list[bytes] = []
    at = 0
    while at + 4 <= len(book):
        kind, size = struct.unpack_from("<HH", book, at)
        if kind == _SHARED_TEXTS or (pieces and kind == _CONTINUE):
            pieces.append(book[at + 4 : at + 4 + size])
        elif pieces or kind == _END:
            break
        at += 4 + size
    lengths: list[int] = []
    piece, at = 0, 8
    try:
        while piece < len(pieces):
            if at >= len(pieces[piece]):
                piece, at = piece + 1, at - len(pieces[piece])
                continue
            length, flags = struct.unpack_from("<HB", pieces[piece], at)
            at += 3
            runs = struct.unpack_from("<H", pieces[piece], at)[0] if flags & 8 else 0
            at += 2 if flags & 8 else 0
            extra = struct.unpack_from("<I", pieces[piece], at)[0] if flags & 4 else 0
            at += 4 if flags & 4 else 0
            lengths.append(length)
            left, wide = length, flags & 1
            while left:
                here = min(left, (len(pieces[piece]) - at) >> wide)
                left, at = left - here, at + (here << wide)
                if left:
                    piece, at = piece + 1, 1
                    wide = pieces[piece][0] & 1
            at += 4 * runs + extra
    except _DAMAGED:
        pass  # the texts before are counted
    return lengths


@dataclass
class _Sheet:
    links: dict[Place, str] = field(default_factory=dict)
    areas: list[tuple[Area, str]] = field(default_factory=list)
    texts: dict[Place, str] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)
    numbers: list[tuple[int, int, str]] = field(default_factory=list)
    formulas: list[tuple[int, int, bytes]] = field(default_factory=list)
    shared: dict[tuple[int, int], bytes] = field(default_factory=dict)


class _Reader:
    """One walk over all records."""

    def __init__(self, book: bytes) -> None:
        self._book = book
        self.unknown_errors: list[int] = []
        self._is_new = True
        self._codepage = "cp1252"
        self._names_by_start: dict[int, str] = {}
        self._names: list[str] = []
        self._references: list[tuple[int, int]] = []
        self._formats: dict[int, DigitFormat | None] = {}
        self._styles: list[int] = []
        self._shown: dict[int, DigitFormat] = {}
        self._locked = False
        self._links = Book(8)
        self._globals: dict[int, Callable[[bytes], None]] = {
            _SHEET: self._sheet_name, _FORMAT: self._format, _STYLE: self._style, _CODEPAGE: self._page,
            _NAME: self._name, _SHEET_REFERENCES: self._sheet_references,
        }  # fmt: skip

    def behind(self) -> dict[str, Behind]:
        found: dict[str, Behind] = {}
        at = self._read_globals()
        if self._locked or not self._names_by_start:
            return {}
        self._links = self._as_book()
        styles = enumerate(self._styles)
        self._shown = {s: shown for s, number in styles if (shown := self._formats.get(number)) is not None}
        if not self._shown and _GLANCE.search(self._book, at) is None:
            return {}
        for start, sheet in self._sheets(at):
            if (name := self._names_by_start.get(start)) is not None:
                found[name] = self._finished(sheet)
        return found

    def _records(self, at: int) -> Iterator[tuple[int, int, int]]:
        """Yield type, start and end of each record's content."""
        book, size = self._book, len(self._book)
        head = struct.Struct("<HH").unpack_from
        while at + 4 <= size:
            kind, length = head(book, at)
            yield kind, at + 4, min(size, at + 4 + length)
            at += 4 + length

    def _read_globals(self) -> int:
        """Read the workbook's own part, and return where it ends."""
        for place, (kind, start, end) in enumerate(self._records(0)):
            if place == 0:
                if kind != _BEGIN or end - start < 4:
                    return len(self._book)
                self._is_new = self._book[start : start + 2] == b"\x00\x06"
            elif kind == _END:
                return end
            elif kind == _PASSWORD:
                self._locked = True
            elif (read := self._globals.get(kind)) is not None:
                try:
                    read(self._book[start:end])
                except _DAMAGED:
                    continue
        return len(self._book)

    def _sheet_name(self, content: bytes) -> None:
        (start,) = struct.unpack_from("<I", content)
        self._names_by_start[start] = self._text(content[6:], 1)

    def _format(self, content: bytes) -> None:
        (number,) = struct.unpack_from("<H", content)
        self._formats[number] = digit_format(self._text(content[2:], 2 if self._is_new else 1))

    def _style(self, content: bytes) -> None:
        self._styles.append(struct.unpack_from("<HH", content)[1])

    def _page(self, content: bytes) -> None:
        (number,) = struct.unpack_from("<H", content)
        self._codepage = {10000: "mac_roman", 32768: "mac_roman", 32769: "cp1252"}.get(number, f"cp{number}")

    def _name(self, content: bytes) -> None:
        text = content[14:]
        length = content[3]
        if self._is_new:
            wide = text[0] & 1
            self._names.append(text[1 : 1 + length * (1 + wide)].decode("utf-16-le" if wide else "latin-1", "replace"))
        else:
            self._names.append(text[:length].decode("latin-1"))

    def _sheet_references(self, content: bytes) -> None:
        if self._is_new:
            (count,) = struct.unpack_from("<H", content)
            for at in range(2, min(len(content) - 5, 2 + 6 * count), 6):
                _, first, last = struct.unpack_from("<Hhh", content, at)
                self._references.append((first, last))

    def _text(self, content: bytes, length_bytes: int) -> str:
        length = int.from_bytes(content[:length_bytes], "little")
        content = content[length_bytes:]
        if not self._is_new:
            try:
                return content[:length].decode(self._codepage, "replace")
            except LookupError:
                return content[:length].decode("cp1252", "replace")
        wide = content[0] & 1
        return content[1 : 1 + length * (1 + wide)].decode("utf-16-le" if wide else "latin-1", "replace")

    def _sheets(self, at: int) -> Iterator[tuple[int, _Sheet]]:
        """Yield where each sheet begins, and what is in it; charts inside a sheet are passed over."""
        sheet, start, depth = _Sheet(), at, 0
        readers = {
            _FORMULA: self._formula, _OLD_FORMULA: self._formula, _SHARED: self._shared, _MERGED: self._merged,
            _ERROR: self._error, _NUMBER: self._number, _SHORT_NUMBER: self._short_number,
            _SHORT_NUMBERS: self._short_numbers,
        }  # fmt: skip
        pieces: list[bytes] = []
        for kind, begin, end in self._records(at):
            if pieces and kind != _CONTINUE:
                _link(sheet, b"".join(pieces))
                pieces = []
            if kind == _BEGIN:
                if depth == 0:
                    sheet, start = _Sheet(), begin - 4
                depth += 1
            elif kind == _END:
                depth -= 1
                if depth <= 0:
                    yield start, sheet
                    sheet, depth = _Sheet(), 0
            elif depth != 1:
                continue
            elif kind == _LINK or (kind == _CONTINUE and pieces):
                pieces.append(self._book[begin:end])
            elif (read := readers.get(kind)) is not None:
                try:
                    read(sheet, begin, end)
                except _DAMAGED:
                    continue
        if depth:
            yield start, sheet

    def _formula(self, sheet: _Sheet, at: int, end: int) -> None:
        row, column, style = struct.unpack_from("<HHH", self._book, at)
        result = self._book[at + 6 : at + 14]
        if result[6:] != b"\xff\xff":
            if style in self._shown:
                self._add_number(sheet, row, column, style, struct.unpack("<d", result)[0])
        elif result[0] == 2:
            self._add_error(sheet, row, column, at + 8)
        (size,) = struct.unpack_from("<H", self._book, at + 20)
        tokens = self._book[at + 22 : min(end, at + 22 + size)]
        if shared_at(tokens) or may_link(tokens, self._links):
            sheet.formulas.append((row, column, tokens))

    def _shared(self, sheet: _Sheet, at: int, end: int) -> None:
        first_row, _, first_column = struct.unpack_from("<HHB", self._book, at)
        (size,) = struct.unpack_from("<H", self._book, at + 8)
        sheet.shared[first_row, first_column] = self._book[at + 10 : min(end, at + 10 + size)]

    def _merged(self, sheet: _Sheet, at: int, end: int) -> None:
        (count,) = struct.unpack_from("<H", self._book, at)
        for place in range(at + 2, min(end - 7, at + 2 + 8 * count), 8):
            first, last, left, right = struct.unpack_from("<HHHH", self._book, place)
            sheet.merged.append((first + 1, left, last + 1, right))

    def _error(self, sheet: _Sheet, at: int, end: int) -> None:
        if end - at >= 8 and self._book[at + 7]:
            row, column = struct.unpack_from("<HH", self._book, at)
            self._add_error(sheet, row, column, at + 6)

    def _add_error(self, sheet: _Sheet, row: int, column: int, at: int) -> None:
        name = NAMES_OF_ERRORS.get(self._book[at])
        if name is None:
            self.unknown_errors.append(at)
        sheet.texts[row + 1, column] = name or UNKNOWN_ERROR

    def _number(self, sheet: _Sheet, at: int, _end: int) -> None:
        row, column, style, value = struct.unpack_from("<HHHd", self._book, at)
        self._add_number(sheet, row, column, style, value)

    def _short_number(self, sheet: _Sheet, at: int, _end: int) -> None:
        row, column, style, value = struct.unpack_from("<HHHI", self._book, at)
        self._add_number(sheet, row, column, style, short_number(value))

    def _short_numbers(self, sheet: _Sheet, at: int, end: int) -> None:
        row, column = struct.unpack_from("<HH", self._book, at)
        for place in range(at + 4, end - 7, 6):
            style, value = struct.unpack_from("<HI", self._book, place)
            self._add_number(sheet, row, column + (place - at - 4) // 6, style, short_number(value))

    def _add_number(self, sheet: _Sheet, row: int, column: int, style: int, value: float) -> None:
        if (shown := self._shown.get(style)) is not None and (text := shown.shown(f"{value:.15g}")) is not None:
            sheet.numbers.append((row + 1, column, text))

    def _as_book(self) -> Book:
        names = list(self._names_by_start.values())
        sheets = {
            number: names[first]
            for number, (first, last) in enumerate(self._references)
            if first == last and 0 <= first < len(names)
        }
        return Book(8 if self._is_new else 5, self._names, sheets, self._codepage)

    def _finished(self, sheet: _Sheet) -> Behind:
        book = self._links
        texts = {anchor: formula_text(tokens, book, *anchor) for anchor, tokens in sheet.shared.items()}
        formulas: dict[Place, Formula] = {}
        for row, column, tokens in sheet.formulas:
            if shared_at(tokens):
                anchor = struct.unpack_from("<HH", tokens.ljust(5, b"\0"), 1)
                text, down, right = texts.get(anchor), row - anchor[0], column - anchor[1]
            else:
                text, down, right = formula_text(tokens, book, row, column), 0, 0
            if text is not None and has_link(text):
                formulas[row + 1, column] = Formula(text, down, right)
        return Behind(sheet.links, sheet.texts, sheet.merged, 0, sheet.areas, formulas, sheet.numbers)


def short_number(value: int) -> float:
    """Return a number kept in 30 bits: an integer or the upper half of a fraction, perhaps of its hundredfold."""
    number: float
    if value & 2:
        number = float((value >> 2) - (1 << 30 if value & 0x80000000 else 0))
    else:
        (number,) = struct.unpack("<d", b"\0\0\0\0" + struct.pack("<I", value & 0xFFFFFFFC))
    return number / 100 if value & 1 else number


def _link(sheet: _Sheet, content: bytes) -> None:
    try:
        first, last, left, right = struct.unpack_from("<HHHH", content)
        target = _target(content)
    except _DAMAGED:
        return
    if target and (first, left) == (last, right):
        sheet.links[first + 1, left] = target
    elif target:
        sheet.areas.append(((first + 1, left, last + 1, right), target))


def _target(content: bytes) -> str:
    """Return where a link leads ([MS-OSHARED] 2.3.7.1): an address, a file, or a place in this workbook."""
    (flags,) = struct.unpack_from("<I", content, 28)
    at = 32
    for flag in (_HAS_TEXT, _HAS_FRAME):
        if flags & flag:
            at = _after_text(content, at)
    target = ""
    if flags & _HAS_MONIKER and flags & _MONIKER_IS_TEXT:
        after = _after_text(content, at)
        target, at = _until_zero(content[at + 4 : after]), after
    elif flags & _HAS_MONIKER:
        target, at = _moniker(content, at)
    if flags & _HAS_PLACE:
        after = _after_text(content, at)
        target += "#" + _until_zero(content[at + 4 : after])
    return target


def _after_text(content: bytes, at: int) -> int:
    return at + 4 + 2 * int(struct.unpack_from("<I", content, at)[0])


def _until_zero(content: bytes) -> str:
    return content[: len(content) & ~1].decode("utf-16-le", "replace").partition("\0")[0]


def _moniker(content: bytes, at: int) -> tuple[str, int]:
    kind = content[at : at + 16]
    at += 16
    if kind == _URL_MONIKER:
        (size,) = struct.unpack_from("<I", content, at)
        return _until_zero(content[at + 4 : at + 4 + size]), at + 4 + size
    if kind != _FILE_MONIKER:
        raise ValueError("another kind of moniker")
    up, size = struct.unpack_from("<HI", content, at)
    name = content[at + 6 : at + 6 + size].partition(b"\0")[0].decode("cp1252", "replace")
    at += 6 + size + 24
    (more,) = struct.unpack_from("<I", content, at)
    if more >= 6:
        (size,) = struct.unpack_from("<I", content, at + 4)
        name = _until_zero(content[at + 10 : at + 10 + size])
    return "../" * min(up, 50) + name, at + 4 + more
