"""From a spreadsheet file's bytes to sheets of text cells, or a `SpreadsheetError` if it cannot be read at all.

Workbooks (xlsx, xlsm, xls, xlsb, ods) are read by calamine; dangerous and hopeless files are refused before. Text files
(csv, tsv) are in `text_tables`. What the cells mean is in `spreadsheets`.
"""

from __future__ import annotations

import datetime
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import python_calamine

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.error_cells import errors_of_part
from meter_pipeline.ingest.sheets.extents import largest_extent
from meter_pipeline.ingest.sheets.hyperlinks import links_of_part
from meter_pipeline.ingest.sheets.text_tables import read_text_table
from meter_pipeline.ingest.sheets.workbook_parts import DefusedXmlException, ParseError, Place, sheet_parts

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
SUFFIXES = (*WORKBOOK_SUFFIXES, *TEXT_SUFFIXES)
MAX_FILE_BYTES = 200_000_000
MAX_UNPACKED_BYTES = 800_000_000
"""Of all parts of a workbook together; 100,000 rows of 8 columns unpack to about 40 MB."""
MAX_PACKING_RATIO = 400
"""Unpacked over packed bytes; sheets of one repeated value pack 100 to 200 times, bombs 1,000 times."""
RATIO_MATTERS_FROM_BYTES = 50_000_000
MAX_CELLS = 40_000_000
"""Rows times columns of one sheet, empty cells included: the reader lays them all out in memory."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_MAX_EXACT = 1e21
"""From here on Python prints floats with an exponent, and so does Excel."""
_SIGNIFICANT_DIGITS = 15
"""What a spreadsheet program shows of a number; the rest is rounding noise of binary fractions."""


@dataclass(frozen=True)
class Sheet:
    """One sheet as text.

    Attributes:
        name: as on its tab; empty for a text file.
        hidden: whether people do not see it.
        first_row: number of the first row in `rows`, from 1, as the spreadsheet program shows it.
        first_column: number of the first column, from 0.
        rows: text of the cells, blank rows included.
        links: targets of hyperlinks that stand behind other text, by (row number, column number).
    """

    name: str
    hidden: bool
    first_row: int
    first_column: int
    rows: list[list[str]]
    links: Mapping[Place, str] = field(default_factory=dict)

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield row numbers and rows."""
        return enumerate(self.rows, self.first_row)


@dataclass(frozen=True)
class _Lost:
    """What the reader leaves out of a sheet."""

    links: Mapping[Place, str] = field(default_factory=dict)
    errors: Mapping[Place, str] = field(default_factory=dict)


def read_sheets(path: Path, content: bytes | None = None) -> list[Sheet]:
    """Read every sheet of a file, hidden ones included.

    Args:
        path: the file; its suffix must fit what it holds.
        content: its bytes, where they were read already.

    Raises:
        SpreadsheetError: the file is empty, too large, encrypted, truncated, a bomb, or not what its name says.
        OSError: the file cannot be read now.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _error(
            path, f"{suffix or 'A file without suffix'} is not a spreadsheet.", f"Drop one of {', '.join(SUFFIXES)}."
        )
    if content is None:
        _judge_size(path, path.stat().st_size)
        content = path.read_bytes()
    _judge_size(path, len(content))
    if not content:
        raise _error(path, "The file is empty (0 bytes).", "Copy it again; the copy may not have finished.")
    if suffix in TEXT_SUFFIXES:
        _refuse_workbook_as_text(path, content)
        return [Sheet("", False, 1, 0, read_text_table(path, content))]
    lost: dict[str, _Lost] = {}
    if content.startswith(_ZIP):
        lost = _judged_archive(path, content)
    elif content.startswith(_OLE):
        _judge_compound_file(path, content)
    else:
        refusal = _renamed(path, content)
        if suffix == ".xls" and refusal is None:
            # SAP and other programs write tab-separated text and call it .xls; Excel opens that too.
            return [Sheet("", False, 1, 0, read_text_table(path, content))]
        raise refusal or _error(
            path,
            f"This is text, not a {suffix} workbook.",
            "Rename it to .csv, or save it as .xlsx from the spreadsheet program.",
        )
    return list(_calamine_sheets(path, content, lost))


def _calamine_sheets(path: Path, content: bytes, lost: Mapping[str, _Lost]) -> Iterator[Sheet]:
    try:
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            for index, about in enumerate(workbook.sheets_metadata):
                if about.typ != python_calamine.SheetTypeEnum.WorkSheet:
                    continue  # charts and macros
                sheet = workbook.get_sheet_by_index(index)
                row, column = sheet.start or (0, 0)
                # Not `to_python`, whose list of all values would stand in memory beside our list of texts.
                rows = [[_cell_text(value) for value in cells] for cells in _rows_of(sheet)]
                hidden = about.visible != python_calamine.SheetVisibleEnum.Visible
                its = lost.get(about.name, _Lost())
                for (number, place), text in its.errors.items():
                    if 0 <= number - row - 1 < len(rows) and 0 <= place - column < len(rows[number - row - 1]):
                        rows[number - row - 1][place - column] = text
                yield Sheet(about.name, hidden, row + 1, column, rows, its.links)
    except python_calamine.PasswordError as error:
        raise _encrypted(path) from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        if "password" in str(error).lower():
            raise _encrypted(path) from error
        raise _error(
            path, f"The workbook is damaged or not whole ({error}).", "Open it, save it again, or copy it again."
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the reader's own bug on a hostile file
            raise
        raise _error(path, "The workbook is damaged.", "Open it and save it again.") from error


def _rows_of(sheet: python_calamine.CalamineSheet) -> Iterator[Sequence[object]]:
    if sheet.start is None:
        return
    yield from sheet.iter_rows()


def _cell_text(value: object) -> str:
    """Return a cell's value as people see it: whole numbers without a point, dates in ISO form, empty as empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _MAX_EXACT:
            return str(int(value))
        return format(value, f".{_SIGNIFICANT_DIGITS}g")
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return str(value)


def _judge_size(path: Path, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise _error(
            path,
            f"The file has {size / 1e6:,.0f} MB; at most {MAX_FILE_BYTES / 1e6:,.0f} MB are read.",
            "Split it into several files.",
        )


def _judged_archive(path: Path, content: bytes) -> dict[str, _Lost]:
    """Refuse bombs, encrypted and broken archives, and those without a workbook; return what the reader leaves out."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            unpacked, packed = sum(p.file_size for p in parts), sum(p.compress_size for p in parts)
            ratio = unpacked / max(packed, 1)
            if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_MATTERS_FROM_BYTES and ratio > MAX_PACKING_RATIO):
                raise _error(
                    path,
                    f"The file unpacks to {unpacked / 1e6:,.0f} MB from {packed / 1e6:,.1f} MB: no sheet of rows does.",
                    "Copy the rows into a new workbook.",
                )
            if any(part.flag_bits & 1 for part in parts):
                raise _encrypted(path)
            if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
                raise _encrypted(path)
            if not names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"} and not any(
                name.lower().endswith(("workbook.xml", "workbook.bin")) for name in names
            ):
                what = "a Word document" if "word/document.xml" in names else "a zip archive"
                raise _error(path, f"This is {what}, not a workbook.", "Save the rows as .xlsx or .csv.")
            cells = largest_extent(archive)
            if cells > MAX_CELLS:
                raise _error(
                    path,
                    f"A sheet's used area has {cells:,} cells; at most {MAX_CELLS:,} are read.",
                    "Delete the stray cells far below or to the right of the rows, and save it again.",
                )
            return {
                name: _Lost(links_of_part(archive, part), errors_of_part(archive, part))
                for name, part in sheet_parts(archive).items()
            }
    except (ParseError, DefusedXmlException) as error:
        raise _error(path, f"The workbook's XML is damaged ({error}).", "Open it and save it again.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise _error(
            path, f"The file is damaged or not whole ({error}).", "Copy it again; the copy may not have finished."
        ) from error


def _judge_compound_file(path: Path, content: bytes) -> None:
    directory_names = {name.encode("utf-16-le") for name in ("EncryptedPackage", "EncryptionInfo")}
    if any(name in content for name in directory_names):
        raise _encrypted(path)
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise _error(path, "This is an old Office file, but not a workbook.", "Save the rows as .xlsx or .csv.")


def _renamed(path: Path, content: bytes) -> SpreadsheetError | None:
    """Return the error for a file that is neither a workbook nor text, by its first bytes; None if it may be text."""
    head = content[:512]
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<meta", b"<style")):
        return _error(
            path,
            "This is a web page with a workbook's name.",
            "Open it in the spreadsheet program and save it as .xlsx.",
        )
    if text.startswith(b"<?xml"):
        return _error(path, "This is an XML file with a workbook's name.", "Open it and save it as .xlsx.")
    kinds = {b"%PDF": "a PDF", b"\xff\xd8\xff": "a JPEG photo", b"\x89PNG": "a PNG picture", b"Rar!": "a RAR archive"}
    kinds |= {b"\x1f\x8b": "a gzip archive", b"7z\xbc\xaf": "a 7z archive", b"PK": "a broken zip archive"}
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return _error(path, f"This is {kind} with a workbook's name.", "Save the rows as .xlsx or .csv.")
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _error(path, "The file is damaged, or not a workbook.", "Copy it again, or save it again as .xlsx.")
    return None


def _refuse_workbook_as_text(path: Path, content: bytes) -> None:
    if content.startswith((_ZIP, _OLE)):
        raise _error(
            path,
            f"This is a workbook or archive with the name of a text file ({path.suffix}).",
            "Rename it to .xlsx or .xls.",
        )
    if (refusal := _renamed(path, content)) is not None and b"\0" not in content[:512]:
        raise _error(path, refusal.what.replace("a workbook's name", f"the name {path.suffix}"), refusal.fix)


def _encrypted(path: Path) -> SpreadsheetError:
    return _error(path, "The workbook is protected with a password.", "Save it without a password and drop it again.")


def _error(path: Path, what: str, fix: str) -> SpreadsheetError:
    return SpreadsheetError(what, where=path.name, fix=fix)
