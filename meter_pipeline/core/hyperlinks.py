"""Where the links behind an xlsx workbook's cells lead: a cell's hyperlink, or the formula `=HYPERLINK("...", "...")`.

Spreadsheet readers give the text people see, not the link behind it, and a formula only as its stored result, which
programs that write workbooks often leave out. So both are read from the sheet's XML, and only where a sheet has any.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from posixpath import join, normpath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

Links = dict[tuple[int, int], str]

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_FORMULA = re.compile(r'\s*HYPERLINK\(\s*"((?:[^"]|"")*)"\s*[,;)]', re.IGNORECASE)
_MARKS = (b"hyperlink", b"HYPERLINK(", b"Hyperlink(")
_CHUNK_BYTES = 1 << 20
_WORKBOOK, _WORKBOOK_RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"


def links_of(archive: zipfile.ZipFile) -> dict[str, Links]:
    """Return the links of each sheet by its name; a link's place is (row number from 1, column number from 0).

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: the XML declares entities, which no spreadsheet program writes.
    """
    names = set(archive.namelist())
    if not {_WORKBOOK, _WORKBOOK_RELATIONS} <= names:
        return {}
    targets = _relations(archive, _WORKBOOK_RELATIONS)
    found: dict[str, Links] = {}
    for element in _elements(archive, _WORKBOOK):
        if _tag(element) == "sheet":
            target = targets.get(_attribute(element, "id"), "")
            part = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            if part in names and _has_links(archive, part):
                found[element.get("name", "")] = _links_of_part(archive, part)
    return found


def _links_of_part(archive: zipfile.ZipFile, part: str) -> Links:
    folder, _, name = part.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    targets = _relations(archive, relations) if relations in archive.namelist() else {}
    links: Links = {}
    for element in _elements(archive, part):
        if _tag(element) == "c":
            formula = next((child.text for child in element if _tag(child) == "f"), None)
            match = _FORMULA.match(formula) if formula else None
            place = _place(element.get("r", ""))
            if match and place:
                links[place] = match.group(1).replace('""', '"')
        elif _tag(element) == "hyperlink":
            place, target = _place(element.get("ref", "")), targets.get(_attribute(element, "id"))
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


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    return {
        element.get("Id", ""): element.get("Target", "")
        for element in _elements(archive, part)
        if _tag(element) == "Relationship"
    }


def _elements(archive: zipfile.ZipFile, part: str) -> Iterator[Element]:
    """Yield the elements of a part as they end; rows are let go at once: a large sheet stays small in memory."""
    with archive.open(part) as stream:
        for _, element in iterparse(stream, events=("end",)):
            yield element
            if _tag(element) in {"row", "hyperlink", "Relationship"}:
                element.clear()


def _place(reference: str) -> tuple[int, int] | None:
    """The first cell of `B7` or `B7:C9`."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    column = 0
    for letter in match.group(1):
        column = column * 26 + ord(letter) - 64
    return int(match.group(2)), column - 1


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    """An attribute of whatever namespace: strict workbooks use another one."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name and "}" in key), "")


__all__ = ["DefusedXmlException", "Links", "ParseError", "links_of"]
