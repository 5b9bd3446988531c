"""The XML parts of an xlsx workbook: which part holds which sheet, and its elements, safe from XML attacks."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from posixpath import join, normpath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

Place = tuple[int, int]
"""Row number from 1, column number from 0."""

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_WORKBOOK, _WORKBOOK_RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the name of each sheet's part, by the sheet's name; empty if it is not an xlsx workbook.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: the XML declares entities, which no spreadsheet program writes.
    """
    names = set(archive.namelist())
    if not {_WORKBOOK, _WORKBOOK_RELATIONS} <= names:
        return {}
    targets = relations(archive, _WORKBOOK_RELATIONS)
    found: dict[str, str] = {}
    for element in elements(archive, _WORKBOOK):
        if tag(element) == "sheet":
            target = targets.get(attribute(element, "id"), "")
            part = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            if part in names:
                found[element.get("name", "")] = part
    return found


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Return the targets of a relations part, by id."""
    return {
        element.get("Id", ""): element.get("Target", "")
        for element in elements(archive, part)
        if tag(element) == "Relationship"
    }


def elements(archive: zipfile.ZipFile, part: str) -> Iterator[Element]:
    """Yield the elements of a part as they end; rows are freed at once, so that a large sheet stays small in memory."""
    with archive.open(part) as stream:
        for _, element in iterparse(stream, events=("end",)):
            yield element
            if tag(element) in {"row", "hyperlink", "Relationship", "table-row"}:
                element.clear()


def place_of(reference: str) -> Place | None:
    """Return the first cell of `B7` or `B7:C9`; None if it is not a reference."""
    match = _REFERENCE.match(reference)
    return (int(match.group(2)), column_number(match.group(1)) - 1) if match else None


def column_number(letters: str) -> int:
    """Return a column's number from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def tag(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """Return an attribute of any namespace (strict workbooks use another one); empty if it is missing."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name and "}" in key), "")


__all__ = [
    "DefusedXmlException",
    "ParseError",
    "Place",
    "attribute",
    "column_number",
    "elements",
    "place_of",
    "relations",
    "sheet_parts",
    "tag",
]
