"""Where the links behind an xlsx workbook's cells lead: a cell's hyperlink, or the formula `=HYPERLINK("...", "...")`.

Spreadsheet readers give the text people see, not the link behind it, and a formula only as its stored result, which
programs that write workbooks often leave out. So both are read from the XML of sheets that have any.
"""

from __future__ import annotations

import re
import zipfile

from meter_pipeline.ingest.sheets.workbook_parts import Place, attribute, elements, place_of, relations, tag

Links = dict[Place, str]

_FORMULA = re.compile(r'\s*HYPERLINK\(\s*"((?:[^"]|"")*)"\s*[,;)]', re.IGNORECASE)
_MARKS = (b"hyperlink", b"HYPERLINK(", b"Hyperlink(")
_CHUNK_BYTES = 1 << 20


def links_of_part(archive: zipfile.ZipFile, part: str) -> Links:
    """Return the links of a sheet by their places.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: the XML declares entities, which no spreadsheet program writes.
    """
    if not _has_links(archive, part):
        return {}
    folder, _, name = part.rpartition("/")
    its_relations = f"{folder}/_rels/{name}.rels"
    targets = relations(archive, its_relations) if its_relations in archive.namelist() else {}
    links: Links = {}
    for element in elements(archive, part):
        if tag(element) == "c":
            formula = next((child.text for child in element if tag(child) == "f"), None)
            match = _FORMULA.match(formula) if formula else None
            place = place_of(element.get("r", ""))
            if match and place:
                links[place] = match.group(1).replace('""', '"')
        elif tag(element) == "hyperlink":
            place, target = place_of(element.get("ref", "")), targets.get(attribute(element, "id"))
            if place and target:
                links.setdefault(place, target)
    return links


def _has_links(archive: zipfile.ZipFile, part: str) -> bool:
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if any(mark in rest + chunk for mark in _MARKS):
                return True
            rest = chunk[-max(map(len, _MARKS)) :]
    return False
