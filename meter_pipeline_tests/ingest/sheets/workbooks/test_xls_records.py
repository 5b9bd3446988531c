"""What stands behind the cells of xls workbooks."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import python_calamine
import xlwt

from meter_pipeline.ingest.sheets.workbooks.compound_files import replaced, stream
from meter_pipeline.ingest.sheets.workbooks.formulas import Formula
from meter_pipeline.ingest.sheets.workbooks.xls_records import read_xls, short_number

URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")
FILE_MONIKER = bytes.fromhex("0303000000000000c000000000000046")
LINK_CLASS = bytes.fromhex("d0c9ea79f9bace118c8200aa004ba90b")


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _counted(text: str) -> bytes:
    return struct.pack("<I", len(text) + 1) + (text + "\0").encode("utf-16-le")


def _url_link(area: tuple[int, int, int, int], url: str, *, shown: str = "") -> bytes:
    address = (url + "\0").encode("utf-16-le")
    flags = 0x3 | (0x14 if shown else 0)
    text = _counted(shown) if shown else b""
    body = text + URL_MONIKER + struct.pack("<I", len(address)) + address
    return _record(0x1B8, struct.pack("<HHHH", *area) + LINK_CLASS + struct.pack("<II", 2, flags) + body)


def _file_link(area: tuple[int, int, int, int], name: str, place: str = "") -> bytes:
    ansi = name.encode("cp1252") + b"\0"
    wide = name.encode("utf-16-le")
    body = FILE_MONIKER + struct.pack("<HI", 1, len(ansi)) + ansi + struct.pack("<HH", 0xFFFF, 0xDEAD) + bytes(20)
    body += struct.pack("<IIH", len(wide) + 6, len(wide), 3) + wide
    flags = 0x1 | (0x8 if place else 0)
    body += _counted(place) if place else b""
    return _record(0x1B8, struct.pack("<HHHH", *area) + LINK_CLASS + struct.pack("<II", 2, flags) + body)


def _workbook(*, error: int | None = None) -> bytes:
    book = xlwt.Workbook()
    sheet, other = book.add_sheet("Zähler"), book.add_sheet("Other one")
    other.write(0, 0, "store")
    zeros = xlwt.easyxf(num_format_str="0000000000")
    sheet.write(0, 0, "Meter")
    for row in (1, 2):
        sheet.write(row, 0, 4200 + row, zeros)
        sheet.write(row, 1, xlwt.Formula(f'HYPERLINK("http://p.example/{row}.jpg";"open")'))
        sheet.write(row, 2, xlwt.Formula(f'HYPERLINK("http://p.example/"&A{row + 1}&".jpg";"open")'))
        sheet.write(row, 3, xlwt.Formula(f'HYPERLINK(\'Other one\'!$A$1&TEXT(A{row + 1};"000");"open")'))
    sheet.write_merge(5, 6, 0, 1, "title")
    sheet.write(7, 0, xlwt.Formula("1+1"))
    if error is not None:
        sheet.row(8).set_cell_error(0, 0x2A)
    saved = io.BytesIO()
    book.save(saved)
    content = saved.getvalue()
    if error is not None:
        at = content.index(struct.pack("<HHHH", 0x205, 8, 8, 0))
        content = content[: at + 10] + bytes([error]) + content[at + 11 :]
    return content


def test_formulas_merged_cells_zeros_and_errors() -> None:
    found = read_xls(_workbook(error=0x17))
    behind = found.behind["Zähler"]
    assert behind.formulas[2, 1] == Formula('HYPERLINK("http://p.example/1.jpg","open")')
    assert behind.formulas[3, 2] == Formula('HYPERLINK("http://p.example/"&A3&".jpg","open")')
    assert behind.formulas[3, 3] == Formula('HYPERLINK(\'Other one\'!$A$1&TEXT(A3,"000"),"open")')
    assert len(behind.formulas) == 6
    assert behind.merged == [(6, 0, 7, 1)]
    assert list(behind.numbers) == [(2, 0, "0000004201"), (3, 0, "0000004202")]
    assert behind.texts == {(9, 0): "#REF!"}
    assert not found.behind["Other one"].formulas


def test_an_unknown_error_value_is_mended_for_the_reader() -> None:
    content = _workbook(error=0x55)
    found = read_xls(content)
    assert found.behind["Zähler"].texts == {(9, 0): "#UNKNOWN!"}
    assert len(found.mended) == len(content)
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(found.mended)) as book:
        assert book.get_sheet_by_index(0).to_python()[0][0] == "Meter"
    assert read_xls(_workbook()).mended == _workbook()


def _linked(records: bytes) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for row in range(5):
        sheet.write(row, 0, "view")
    # Texts that nobody needs make room for the records.
    for row in range(10, 200):
        sheet.write(row, 5, float(row) + 0.123)
    saved = io.BytesIO()
    book.save(saved)
    content = saved.getvalue()
    made = stream(content, "Workbook")
    begin = made.index(struct.pack("<HHHH", 0x203, 14, 10, 5))
    size = 0
    while size < len(records) + 4:
        size += 18
    # What is left of the room is a record that readers pass over.
    filler = _record(0x00EF, bytes(size - len(records) - 4))
    return replaced(content, "Workbook", made[:begin] + records + filler + made[begin + size :])


def test_links_to_addresses_and_files_over_cells_and_ranges(tmp_path: Path) -> None:
    long = "http://p.example/" + "a" * 300 + ".jpg"
    content = _linked(
        _url_link((0, 0, 0, 0), "http://p.example/1.jpg")
        + _url_link((1, 3, 0, 0), "http://p.example/2.jpg", shown="view")
        + _file_link((4, 4, 0, 0), "photos/é.jpg", "x")
        + _url_link((5, 5, 0, 0), long)
    )
    behind = read_xls(content).behind["S"]
    assert behind.links == {(1, 0): "http://p.example/1.jpg", (5, 0): "../photos/é.jpg#x", (6, 0): long}
    assert behind.linked_areas == [((2, 0, 4, 0), "http://p.example/2.jpg")]
    (tmp_path / "a.xls").write_bytes(content)
    with python_calamine.CalamineWorkbook.from_path(tmp_path / "a.xls") as book:
        assert book.get_sheet_by_index(0).to_python()[0][0] == "view"


def test_a_link_that_goes_on_in_the_next_record() -> None:
    record = _url_link((0, 0, 0, 0), "http://p.example/" + "b" * 600 + ".jpg")
    body = record[4:]
    content = _linked(_record(0x1B8, body[:400]) + _record(0x3C, body[400:900]) + _record(0x3C, body[900:]))
    assert read_xls(content).behind["S"].links[1, 0].endswith("bbb.jpg")


def test_characters_of_shared_texts_are_counted() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for row in range(60_000):
        sheet.write(row, 0, "x" * 30_000)
    sheet.write(0, 1, "é" * 20_000)
    saved = io.BytesIO()
    book.save(saved)
    assert read_xls(saved.getvalue()).characters == 60_000 * 30_000 + 20_000


def test_a_sheet_said_to_be_too_large_is_mended_for_the_reader() -> None:
    content = _workbook()
    book = stream(content, "Workbook")
    at = book.index(struct.pack("<HHI", 0x200, 14, 0))
    huge = replaced(content, "Workbook", book[: at + 8] + struct.pack("<IHH", 0xFFFFFFF0, 0, 0xFFFF) + book[at + 16 :])
    mended = read_xls(huge).mended
    assert mended != huge
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(mended)) as workbook:
        assert workbook.get_sheet_by_index(0).to_python()[0][0] == "Meter"


def test_short_numbers() -> None:
    assert short_number(0x3FF00000) == 1.0
    assert short_number((123 << 2) | 2) == 123.0
    assert short_number((12345 << 2) | 3) == 123.45
    assert short_number(((-5 << 2) & 0xFFFFFFFF) | 2) == -5.0


def test_no_damage_breaks_the_reader() -> None:
    whole = _workbook(error=0x55)
    linked = _linked(_url_link((0, 0, 0, 0), "http://p.example/1.jpg") + _file_link((4, 4, 0, 0), "photos/1.jpg", "x"))
    drawn = random.Random(3)
    for content in (whole, linked):
        for _ in range(300):
            damaged = bytearray(content)
            for _ in range(drawn.randrange(1, 12)):
                damaged[drawn.randrange(len(damaged))] = drawn.randrange(256)
            read_xls(bytes(damaged[: drawn.choice([len(damaged), drawn.randrange(len(damaged))])]))
    assert read_xls(b"").behind == {}
