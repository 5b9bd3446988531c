"""Pictures inside a workbook, counted by sheet: people see photos there, and the file holds no URL of them."""

from __future__ import annotations

import re
import zipfile

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import content_of
from meter_pipeline.ingest.sheets.workbooks.xlsx.package import Package

_PICTURE = re.compile(rb"<(?:[\w.-]{1,50}:)?pic[\s>]")
MAX_DRAWING_BYTES = 100_000_000


def pictures_on(archive: zipfile.ZipFile, package: Package, part: str) -> int:
    """Return the number of pictures that lie on a sheet."""
    count = 0
    for drawing in package.related(archive, part, "drawing"):
        if archive.getinfo(drawing).file_size < MAX_DRAWING_BYTES:
            count += sum(1 for _ in _PICTURE.finditer(content_of(archive, drawing)))
    return count


def has_pictures_in_cells(archive: zipfile.ZipFile, package: Package) -> bool:
    """Return whether cells may hold pictures as their values (Excel: "Place in cell")."""
    for normal, name in package.names.items():
        if "richdata/rdrichvaluestructure" in normal and archive.getinfo(name).file_size < MAX_DRAWING_BYTES:
            return b"_localImage" in content_of(archive, name)
    return False
