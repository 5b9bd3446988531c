"""Parts of a zipped workbook: read to their true end, and without what XML can be made to do."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.ingest.sheets.workbooks.workbook_parts import (
    DefusedXmlException,
    column_letters,
    column_number,
    content_of,
    elements,
    place_of,
    with_parts,
)


def test_a_part_that_is_larger_than_the_archive_says_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("part.xml", "<x>" * 1_000)
    content = bytearray(buffer.getvalue())
    at = content.index(b"PK\x01\x02")
    content[at + 16 : at + 20] = struct.pack("<I", zlib.crc32(b"<x>"))
    content[at + 24 : at + 28] = struct.pack("<I", 3)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("part.xml") == b"<x>"
        with pytest.raises(zipfile.BadZipFile, match=r"larger than the archive says|CRC"):
            content_of(archive, "part.xml")


def test_an_archive_with_odd_names_is_written_anew() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("xl\\a.bin", "/xl/b.bin"):
            part = zipfile.ZipInfo(name)
            part.filename = name
            archive.writestr(part, name)
    with (
        zipfile.ZipFile(buffer) as archive,
        zipfile.ZipFile(io.BytesIO(with_parts(archive, {"/xl/b.bin": b"new"}))) as new,
    ):
        assert {name: new.read(name) for name in new.namelist()} == {"xl/a.bin": b"xl\\a.bin", "xl/b.bin": b"new"}


def test_entities_are_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("part.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
        with pytest.raises(DefusedXmlException):
            list(elements(archive, "part.xml"))


def test_the_place_of_a_reference_is_its_first_cell() -> None:
    references = ["B7", "$AA$10", "B7:C9", "A1048576", "b7", "7", ""]
    places = [(7, 1), (10, 26), (7, 1), (1_048_576, 0), None, None, None]
    assert [place_of(reference) for reference in references] == places


@given(st.integers(0, 16_383))
def test_letters_and_numbers_of_a_column_belong_together(column: int) -> None:
    assert column_number(column_letters(column)) == column + 1
