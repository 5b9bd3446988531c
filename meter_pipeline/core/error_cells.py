"""Cells of an xlsx workbook that hold an error (`#REF!`, `#N/A`, ...), which spreadsheet readers give as empty.

An empty cell and a broken formula are different news to whoever made the sheet.
"""

from __future__ import annotations

import re
import zipfile

from meter_pipeline.core.workbook_parts import Place, place_of

ERRORS = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 16 * 1024
"""No cell's formula is longer than 8,192 characters; a cell cut by a chunk's end is whole in the next."""
_ERROR_CELL = re.compile(
    rb"""<(?:\w+:)?c\b(?=[^>]*\st=["']e["'])(?=[^>]*\sr=["']([A-Z]{1,3}\d{1,7})["'])[^>]*>"""
    rb"""(?:<(?:\w+:)?f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>))?<(?:\w+:)?v>([^<]{1,20})<"""
)


def errors_of_part(archive: zipfile.ZipFile, part: str) -> dict[Place, str]:
    """Return the error texts of a sheet by their places."""
    found: dict[Place, str] = {}
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            for match in _ERROR_CELL.finditer(rest + chunk):
                place = place_of(match.group(1).decode("ascii"))
                if place:
                    found[place] = match.group(2).decode("utf-8", errors="replace")
            rest = chunk[-_OVERLAP_BYTES:]
    return found


def is_error(text: str) -> bool:
    """Return whether a cell's text is an error's, as other kinds of workbook give it."""
    return text.strip() in ERRORS
