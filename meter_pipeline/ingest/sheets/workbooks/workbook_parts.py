"""Parts of a zipped workbook: their bytes as they are unpacked, and their elements, safe from XML attacks."""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

Place = tuple[int, int]
"""Row number from 1, column number from 0."""

CHUNK_BYTES = 1 << 20
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")


def chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield a part's bytes as they are unpacked.

    Raises:
        BadZipFile: it unpacks to more than the archive's directory says; readers that do not look there would take it.
    """
    said = archive.getinfo(part)
    to_the_end = copy.copy(said)
    to_the_end.file_size = 1 << 62
    size = 0
    with archive.open(to_the_end) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            if size > said.file_size:
                raise zipfile.BadZipFile(f"{part} is larger than the archive says")
            yield chunk


def content_of(archive: zipfile.ZipFile, part: str) -> bytes:
    """Return a part's bytes."""
    return b"".join(chunks(archive, part))


def usual_name(name: str) -> str:
    """Return a part's name as it should be: some programs write backslashes, or a slash in front."""
    return name.replace("\\", "/").lstrip("/")


def with_parts(archive: zipfile.ZipFile, parts: Mapping[str, bytes]) -> bytes:
    """Return an archive anew, with some parts replaced and all names as they should be."""
    anew = io.BytesIO()
    with zipfile.ZipFile(anew, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in archive.namelist():
            if name.endswith("/"):
                continue
            with new.open(usual_name(name), "w", force_zip64=True) as part:
                for piece in [parts[name]] if name in parts else chunks(archive, name):
                    part.write(piece)
    return anew.getvalue()


def elements(archive: zipfile.ZipFile, part: str) -> Iterator[Element]:
    """Yield the elements of a part as they end; rows are freed at once, so that a large sheet stays small in memory.

    Raises:
        ParseError: the XML is broken.
        DefusedXmlException: the XML declares entities, which no spreadsheet program writes.
    """
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


def column_letters(column: int) -> str:
    """Return a column's letters as the spreadsheet program shows them: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def tag(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """Return an attribute of any namespace (strict workbooks use another one); empty if it is missing."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name and "}" in key), "")


__all__ = [
    "CHUNK_BYTES",
    "DefusedXmlException",
    "ParseError",
    "Place",
    "attribute",
    "chunks",
    "column_number",
    "content_of",
    "elements",
    "place_of",
    "tag",
    "usual_name",
    "with_parts",
]
