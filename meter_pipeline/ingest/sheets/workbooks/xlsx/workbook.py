"""An xlsx workbook before and behind its reader: what it would cost, what the reader stumbles over and leaves out."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from functools import cached_property

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.workbooks.behind_cells import Behind
from meter_pipeline.ingest.sheets.workbooks.workbook_parts import chunks, content_of
from meter_pipeline.ingest.sheets.workbooks.xlsx.behind import xlsx_behind
from meter_pipeline.ingest.sheets.workbooks.xlsx.cells import buffers
from meter_pipeline.ingest.sheets.workbooks.xlsx.mending import Nearer, mended
from meter_pipeline.ingest.sheets.workbooks.xlsx.number_formats import DigitFormat, digit_formats
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Package, SheetPart
from meter_pipeline.ingest.sheets.workbooks.xlsx.pictures import has_pictures_in_cells
from meter_pipeline.ingest.sheets.workbooks.xlsx.survey import Survey, filled_cells, survey

MAX_CELLS = 40_000_000
"""Rows times columns of one sheet, empty cells between filled ones included: all are laid out in memory."""
MAX_TEXT_CHARACTERS = 1_000_000_000
"""Of all cells together. A text that cells share is written once in the file, and stands in memory once per cell."""
_SPREAD_MATTERS_FROM_CELLS = 2_000_000
_SPREAD = 4
"""Cells of the used area per cell that is there; from here on it is cheaper to bring them together first."""
_SHARED_TEXT = re.compile(rb"""t=["']s["'][^<>]*>\s*<(?:[\w.-]{1,50}:)?v>\s*(\d{1,9})\s*<""")


class XlsxWorkbook:
    """A workbook that was looked over once.

    Attributes:
        nearer: sheets, by name, whose cells have to be brought together.
        unusual: whether the reader would leave out texts or formats without a word.
    """

    def __init__(self, archive: zipfile.ZipFile, package: Package, where: str) -> None:
        """Look over the workbook.

        Args:
            archive: the workbook.
            package: its parts.
            where: the file's name, for messages.

        Raises:
            SpreadsheetError: it would cost too much, or declares a document type.
            ParseError: the XML of a small part is broken.
            DefusedXmlException: it declares entities.
        """
        self._archive, self._package, self._where = archive, package, where
        self._formats: Mapping[int, DigitFormat] = digit_formats(archive, package)
        self._surveys: dict[str, Survey] = {}
        self.nearer: dict[str, Nearer] = {}
        self.unusual = package.unusual
        for sheet in self._sheets:
            seen = survey(chunks(archive, sheet.part), self._formats)
            if seen.doctype:
                raise self._error(
                    "A sheet declares a document type, which no spreadsheet program does.", "Save it again."
                )
            self._surveys[sheet.part] = seen
            self._judge_extent(sheet, seen)
        self._judge_texts()

    @property
    def _sheets(self) -> list[SheetPart]:
        return [sheet for sheet in self._package.sheets if sheet.part and sheet.kind == "worksheet"]

    def mended(self) -> bytes:
        """Return the workbook as the reader takes it."""
        nearer = {sheet.part: self.nearer[sheet.name] for sheet in self._sheets if sheet.name in self.nearer}
        return mended(self._archive, self._package, self._surveys, nearer)

    def behind(self) -> dict[str, Behind]:
        """Return what stands behind the cells, by the sheets' names."""
        return {
            sheet.name: xlsx_behind(
                self._archive,
                self._package,
                sheet,
                self._surveys[sheet.part],
                self._formats,
                pictures_in_cells=self._surveys[sheet.part].rich and self._pictures_in_cells,
            )
            for sheet in self._sheets
        }

    @cached_property
    def _pictures_in_cells(self) -> bool:
        return has_pictures_in_cells(self._archive, self._package)

    def _judge_extent(self, sheet: SheetPart, seen: Survey) -> None:
        spread = seen.extent > max(_SPREAD_MATTERS_FROM_CELLS, _SPREAD * seen.cells)
        if seen.referenced and not spread and seen.extent <= MAX_CELLS:
            return
        filled = filled_cells(chunks(self._archive, sheet.part), seen)
        # The reader passes over blank cells, so often what is filled is all that it lays out.
        laid_out = filled.last_row * filled.width
        if laid_out <= max(_SPREAD_MATTERS_FROM_CELLS, min(_SPREAD * filled.cells, MAX_CELLS)) or not filled.widths:
            return
        rows, columns = sorted(filled.widths), sorted(filled.columns)
        extent = rows[-1] * (columns[-1] + 1)
        if max(len(rows) * len(columns), sum(filled.widths.values())) > MAX_CELLS:
            raise self._error(
                f"The used area of the sheet {sheet.name!r} has {extent:,} cells; at most {MAX_CELLS:,} are read.",
                "Delete the stray cells far below or to the right of the rows, and save it again.",
            )
        self.nearer[sheet.name] = Nearer(rows, columns)

    def _judge_texts(self) -> None:
        """Refuse a workbook whose cells would hold far more text than the file does."""
        uses = sum(seen.texts for seen in self._surveys.values())
        strings = self._package.strings
        if not strings or self._archive.getinfo(strings).file_size * uses <= MAX_TEXT_CHARACTERS:
            return
        lengths = self._lengths_of_texts()
        if max(lengths, default=0) * uses <= MAX_TEXT_CHARACTERS:
            return
        counts: Counter[bytes] = Counter()
        for part, seen in self._surveys.items():
            for buffer in buffers(chunks(self._archive, part), seen.prefix):
                counts.update(_SHARED_TEXT.findall(buffer))
        total = sum(lengths[int(text)] * count for text, count in counts.items() if int(text) < len(lengths))
        if total > MAX_TEXT_CHARACTERS:
            raise self._error(
                f"Its cells hold {total:,} characters of text in all; at most {MAX_TEXT_CHARACTERS:,} are read.",
                "Take long remarks out of the rows, or split the rows into several files.",
            )

    def _lengths_of_texts(self) -> list[int]:
        """Return about how long each text is that cells share, in the order of their numbers."""
        start = re.compile(rb"<(?:[\w.-]{1,50}:)?si[\s>/]")
        content = content_of(self._archive, self._package.strings)
        places = [match.start() for match in start.finditer(content)]
        return [end - begin for begin, end in zip(places, [*places[1:], len(content)], strict=True)]

    def _error(self, what: str, fix: str) -> SpreadsheetError:
        return SpreadsheetError(what, where=self._where, fix=fix)
