"""From a spreadsheet file's bytes to sheets of text cells, or a `SpreadsheetError` if it cannot be read at all.

Dangerous and hopeless files are refused before a reader has them. Workbooks (xlsx, xlsm, xls, xlsb, ods) are read in
`calamine_rows`, what stands behind their cells is put in by `cell_rows`, text files (csv, tsv) are in `text.tables`.
What the cells mean is in `spreadsheets`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import python_calamine

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.accepted_files import MAX_FILE_BYTES, SUFFIXES, TEXT_SUFFIXES
from meter_pipeline.ingest.sheets.foreign_files import Foreign, foreign_archive, foreign_compound_file, foreign_file
from meter_pipeline.ingest.sheets.text.tables import read_text_table
from meter_pipeline.ingest.sheets.workbooks.behind_cells import Behind
from meter_pipeline.ingest.sheets.workbooks.calamine_rows import Grid, read_grids
from meter_pipeline.ingest.sheets.workbooks.cell_rows import OverlappingLinksError, filled
from meter_pipeline.ingest.sheets.workbooks.compound_files import top_streams
from meter_pipeline.ingest.sheets.workbooks.ods_cells import read_ods
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import (
    DefusedXmlException,
    ParseError,
    Place,
    usual_name,
    with_parts,
)
from meter_pipeline.ingest.sheets.workbooks.xls_records import read_xls
from meter_pipeline.ingest.sheets.workbooks.xlsb_records import read_xlsb
from meter_pipeline.ingest.sheets.workbooks.xlsx.mending import Nearer
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import package_of
from meter_pipeline.ingest.sheets.workbooks.xlsx.workbook import MAX_CELLS, MAX_TEXT_CHARACTERS, XlsxWorkbook

MAX_UNPACKED_BYTES = 800_000_000
"""Of all parts of a workbook together; 100,000 rows of 8 columns unpack to about 40 MB."""
MAX_PACKING_RATIO = 400
"""Unpacked over packed bytes; sheets of one repeated value pack 100 to 200 times, bombs 1,000 times."""
RATIO_MATTERS_FROM_BYTES = 50_000_000
MAX_FILLED_CELLS = 20_000_000
"""Of an ods workbook, in which a few bytes may repeat a cell millions of times; each is a text in memory."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS = ("EncryptedPackage", "EncryptionInfo", "Workbook", "Book", "WordDocument", "PowerPoint Document")
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Sheet:
    """One sheet as text.

    Attributes:
        name: as on its tab; empty for a text file.
        hidden: whether people do not see it.
        first_row: number of the first row in `rows`, from 1, as the spreadsheet program shows it.
        first_column: number of the first column, from 0.
        rows: text of the cells, blank rows included; a row may end before the others do.
        links: targets of hyperlinks that stand behind other text, by (row number, column number).
        reasons: why the link of a cell cannot be worked out, in words, by (row number, column number).
        pictures: number of pictures that are inside the workbook instead of behind a URL.
    """

    name: str
    hidden: bool
    first_row: int
    first_column: int
    rows: list[list[str]]
    links: Mapping[Place, str] = field(default_factory=dict)
    reasons: Mapping[Place, str] = field(default_factory=dict)
    pictures: int = 0

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield row numbers and rows."""
        return enumerate(self.rows, self.first_row)


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
        return [_text_sheet(path, content)]
    if content.startswith(_ZIP):
        return _zipped_sheets(path, content)
    if content.startswith(_OLE):
        return _compound_sheets(path, content)
    _refuse_foreign(path, foreign_file(content))
    if suffix == ".xls":
        # SAP and other programs write tab-separated text and call it .xls; Excel opens that too.
        return [Sheet("", False, 1, 0, read_text_table(path, content))]
    raise _error(
        path,
        f"This is text, not a {suffix} workbook.",
        "Rename it to .csv, or save it as .xlsx from the spreadsheet program.",
    )


def _text_sheet(path: Path, content: bytes) -> Sheet:
    if content.startswith((_ZIP, _OLE)):
        raise _error(
            path,
            f"This is a workbook or archive with the name of a text file ({path.suffix}).",
            "Rename it to .xlsx or .xls.",
        )
    _refuse_foreign(path, foreign_file(content))
    return Sheet("", False, 1, 0, read_text_table(path, content))


def _zipped_sheets(path: Path, content: bytes) -> list[Sheet]:
    """Read xlsx, xlsb and ods."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _judge_archive(path, archive)
            package = package_of(archive)
            if package is None:
                _refuse_foreign(path, foreign_archive(archive))
            if package is None and "content.xml" in archive.namelist():
                return _ods_sheets(path, content, archive)
            if package is None:
                return _xlsb_sheets(path, content, archive)
            workbook = XlsxWorkbook(archive, package, path.name)
            return _filled(path, _xlsx_grids(path, content, workbook), workbook.behind())
    except (ParseError, DefusedXmlException) as error:
        raise _error(path, f"The workbook's XML is damaged ({error}).", "Open it and save it again.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise _error(
            path, f"The file is damaged or not whole ({error}).", "Copy it again; the copy may not have finished."
        ) from error


def _ods_sheets(path: Path, content: bytes, archive: zipfile.ZipFile) -> list[Sheet]:
    ods = read_ods(archive)
    _judge_cells(path, ods.measure.cells)
    _judge_filled(path, ods.measure.filled)
    _judge_characters(path, ods.measure.characters)
    return _filled(path, _grids(path, content), ods.behind)


def _xlsb_sheets(path: Path, content: bytes, archive: zipfile.ZipFile) -> list[Sheet]:
    xlsb = read_xlsb(archive)
    _judge_cells(path, xlsb.cells)
    _judge_characters(path, xlsb.characters)
    if xlsb.mended or any(name != usual_name(name) for name in archive.namelist()):
        content = with_parts(archive, xlsb.mended)
    return _filled(path, _grids(path, content), xlsb.behind)


def _compound_sheets(path: Path, content: bytes) -> list[Sheet]:
    """Read xls."""
    _judge_compound_file(path, content)
    xls = read_xls(content)
    _judge_characters(path, xls.characters)
    return _filled(path, _grids(path, xls.mended), xls.behind)


def _xlsx_grids(path: Path, content: bytes, workbook: XlsxWorkbook) -> list[Grid]:
    if not workbook.nearer and not workbook.unusual:
        try:
            return read_grids(content)
        except python_calamine.CalamineError:
            pass  # what it does not take may be one cell's matter
    return _grids(path, workbook.mended(), workbook.nearer)


def _grids(path: Path, content: bytes, nearer: Mapping[str, Nearer] | None = None) -> list[Grid]:
    try:
        return read_grids(content, nearer)
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


def _filled(path: Path, grids: list[Grid], behind: Mapping[str, Behind]) -> list[Sheet]:
    try:
        sheets = filled(grids, behind)
    except OverlappingLinksError as error:
        raise _error(
            path, "Links over ranges of cells lie on top of each other.", "Copy the rows into a new workbook."
        ) from error
    return [
        Sheet(
            sheet.grid.name,
            sheet.grid.hidden,
            sheet.grid.first_row,
            sheet.grid.first_column,
            sheet.grid.rows,
            sheet.links,
            sheet.reasons,
            sheet.behind.pictures,
        )
        for sheet in sheets
    ]


def _judge_size(path: Path, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise _error(
            path,
            f"The file has {size / 1e6:,.0f} MB; at most {MAX_FILE_BYTES / 1e6:,.0f} MB are read.",
            "Split it into several files.",
        )


def _judge_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse bombs, encrypted archives, and those without a workbook."""
    parts = archive.infolist()
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
    names = {part.filename for part in parts}
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise _encrypted(path)


def _judge_cells(path: Path, cells: int) -> None:
    if cells > MAX_CELLS:
        raise _error(
            path,
            f"A sheet's used area has {cells:,} cells; at most {MAX_CELLS:,} are read.",
            "Delete the stray cells far below or to the right of the rows, and save it again.",
        )


def _judge_filled(path: Path, cells: int) -> None:
    if cells > MAX_FILLED_CELLS:
        raise _error(
            path,
            f"It has {cells:,} filled cells; at most {MAX_FILLED_CELLS:,} are read.",
            "Delete cells repeated far below or to the right of the rows, or split the rows into several files.",
        )


def _judge_characters(path: Path, characters: int) -> None:
    if characters > MAX_TEXT_CHARACTERS:
        raise _error(
            path,
            f"Its cells hold {characters:,} characters of text in all; at most {MAX_TEXT_CHARACTERS:,} are read.",
            "Take long remarks out of the rows, or split the rows into several files.",
        )


def _judge_compound_file(path: Path, content: bytes) -> None:
    # Where the directory is broken, the names of streams that still stand in it say what the file was.
    streams = top_streams(content) or frozenset(name for name in _STREAMS if name.encode("utf-16-le") in content)
    if not streams:
        raise _error(path, "The workbook is damaged or not whole.", "Copy it again, or save it again as .xlsx.")
    if streams & {"EncryptedPackage", "EncryptionInfo"}:
        raise _encrypted(path)
    _refuse_foreign(path, foreign_compound_file(streams))


def _refuse_foreign(path: Path, foreign: Foreign | None) -> None:
    if foreign is not None:
        raise _error(path, f"This is {foreign.kind}; its name ends in {path.suffix}.", foreign.fix)


def _encrypted(path: Path) -> SpreadsheetError:
    return _error(path, "The workbook is protected with a password.", "Save it without a password and drop it again.")


def _error(path: Path, what: str, fix: str) -> SpreadsheetError:
    return SpreadsheetError(what, where=path.name, fix=fix)
