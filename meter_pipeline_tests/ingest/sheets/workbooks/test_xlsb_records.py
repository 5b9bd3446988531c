"""What stands behind the cells of xlsb workbooks."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from pathlib import Path

from meter_pipeline.ingest.sheets.workbooks.formulas import Formula
from meter_pipeline.ingest.sheets.workbooks.xlsb_records import read_xlsb
from meter_pipeline_tests.support.xlsb_writer import (
    Value,
    error_cell,
    formula_cell,
    shared_formula,
    styled,
    text_token,
    write_xlsb,
)

HYPERLINK = b"\x22\x02\x67\x01"
CONCAT = b"\x08"


def _cell_token(row: int, column: int) -> bytes:
    return b"\x44" + struct.pack("<IH", row, column | 0xC000)


def _workbook(folder: Path) -> Path:
    constant = text_token("http://p.example/1.jpg") + text_token("open") + HYPERLINK
    pieces = text_token("http://p.example/") + _cell_token(2, 0) + CONCAT + text_token("open") + HYPERLINK
    near = b"\x4c" + struct.pack("<IH", 0, 0xC000 | 0x3FFF)  # the cell to the left
    shared = text_token("http://p.example/") + near + CONCAT + text_token("open") + HYPERLINK
    shares = b"\x01" + struct.pack("<I", 3)
    rows: list[list[Value]] = [
        ["Meter", "Photo"],
        [styled(4200, 1), formula_cell("open", constant)],
        ["a2.jpg", formula_cell("open", pieces)],
        ["a3.jpg", formula_cell("open", shares, struct.pack("<I", 1))],
        ["a4.jpg", formula_cell("open", shares, struct.pack("<I", 1))],
        [error_cell(0x07), "view"],
        ["x", "view"],
    ]
    return write_xlsb(
        folder / "a.xlsb",
        rows,
        links={(5, 5, 1, 1): "http://p.example/5.jpg", (6, 7, 1, 1): "http://p.example/6.jpg"},
        merged=[(1, 2, 0, 0)],
        formats=["0000000000"],
        after_rows={3: shared_formula((3, 4, 1, 1), shared)},
    )


def test_links_formulas_merged_cells_zeros_and_errors(tmp_path: Path) -> None:
    with zipfile.ZipFile(_workbook(tmp_path)) as archive:
        found = read_xlsb(archive)
    behind = found.behind["Sheet"]
    assert behind.links == {(6, 1): "http://p.example/5.jpg"}
    assert behind.linked_areas == [((7, 1, 8, 1), "http://p.example/6.jpg")]
    assert behind.merged == [(2, 0, 3, 0)]
    assert list(behind.numbers) == [(2, 0, "0000004200")]
    assert behind.texts == {(6, 0): "#DIV/0!"}
    assert behind.formulas == {
        (2, 1): Formula('HYPERLINK("http://p.example/1.jpg","open")'),
        (3, 1): Formula('HYPERLINK("http://p.example/"&A3,"open")'),
        (4, 1): Formula('HYPERLINK("http://p.example/"&A4,"open")'),
        (5, 1): Formula('HYPERLINK("http://p.example/"&A4,"open")', down=1),
    }
    assert found.mended == {}


def test_an_unknown_error_value_is_mended_for_the_reader(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "a.xlsb", [["Photo", "Use"], ["http://p.example/1.jpg", error_cell(0x99)]])
    with zipfile.ZipFile(path) as archive:
        found = read_xlsb(archive)
        before = archive.read("xl/worksheets/sheet1.bin")
    (name, after), *_ = found.mended.items()
    assert name == "xl/worksheets/sheet1.bin"
    assert found.behind["Sheet"].texts == {(2, 1): "#UNKNOWN!"}
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [(0x99, 0x2A)]


def test_an_ordinary_sheet_has_nothing_behind_it(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "a.xlsb", [["Photo"], *([f"http://p.example/{i}.jpg"] for i in range(50))])
    with zipfile.ZipFile(path) as archive:
        found = read_xlsb(archive)
    assert not found.behind["Sheet"].links
    assert not found.behind["Sheet"].formulas


def test_no_damage_breaks_the_reader(tmp_path: Path) -> None:
    with zipfile.ZipFile(_workbook(tmp_path)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    drawn = random.Random(4)
    for _ in range(300):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as changed:
            for name, part in parts.items():
                damaged = bytearray(part)
                if name.endswith(".bin"):
                    for _ in range(drawn.randrange(1, 6)):
                        damaged[drawn.randrange(len(damaged))] = drawn.randrange(256)
                    damaged = damaged[: drawn.choice([len(damaged), drawn.randrange(1, len(damaged))])]
                changed.writestr(name, bytes(damaged))
        with zipfile.ZipFile(content) as archive:
            read_xlsb(archive)
