"""Cells of an xlsx workbook that hold an error (`#REF!`, `#N/A`, ...), which spreadsheet readers give as empty.

The person who made the sheet needs to know that a formula is broken, not that a cell is empty.
"""

from __future__ import annotations

import re
import zipfile

from meter_pipeline.ingest.sheets.workbook_parts import Place, place_of

ERRORS = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
_MARKS = (b't="e"', b"t='e'")
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 16 * 1024
"""No cell's formula is longer than 8,192 characters; a cell cut by a chunk's end is whole in the next."""
# No part of it runs over a `<`: otherwise a file made of `<c <c <c` would be searched to its end from each of them.
_ERROR_CELL = re.compile(
    rb"""<(?:\w{1,20}:)?c\s([^<>]*)>(?:<(?:\w{1,20}:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w{1,20}:)?f>))?"""
    rb"""<(?:\w{1,20}:)?v>(#[^<]{1,20})<"""
)
_IS_ERROR = re.compile(rb"""(?:^|\s)t=["']e["']""")
_REFERENCE = re.compile(rb"""(?:^|\s)r=["']([A-Z]{1,3}\d{1,7})["']""")


def errors_of_part(archive: zipfile.ZipFile, part: str) -> dict[Place, str]:
    """Return the error texts of a sheet by their places."""
    found: dict[Place, str] = {}
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if not any(mark in rest + chunk for mark in _MARKS):
                rest = chunk[-_OVERLAP_BYTES:]
                continue
            for match in _ERROR_CELL.finditer(rest + chunk):
                reference = _REFERENCE.search(match.group(1)) if _IS_ERROR.search(match.group(1)) else None
                place = place_of(reference.group(1).decode("ascii")) if reference else None
                if place:
                    found[place] = match.group(2).decode("utf-8", errors="replace")
            rest = chunk[-_OVERLAP_BYTES:]
    return found


def is_error(text: str) -> bool:
    """Return whether a cell's text is an error, as other kinds of workbook give it."""
    return text.strip() in ERRORS
