"""What docs/operating.md says of spreadsheets, line by line: what is read, and what is refused with which words."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.sheets.spreadsheets import Spreadsheet, read_spreadsheet
from meter_pipeline.settings import SheetSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.sheet_writers import write_ods, write_xls, write_xlsx

PHOTOS = [f"https://photos.example/may/{number}.jpg" for number in range(4)]
HEADER = ["Account", "Photo"]


def csv_of(path: Path, rows: list[list[str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as handle:
        csv.writer(handle, delimiter=delimiter).writerows(rows)
    return path


def photos_of(found: Spreadsheet) -> list[str]:
    return [row.image_url for row in found.rows if row.reason is None]


@pytest.mark.parametrize(
    ("cell", "urls"),
    [
        (PHOTOS[0], 1),
        (f"{PHOTOS[0]} {PHOTOS[1]}", 2),
        (f"{PHOTOS[0]},{PHOTOS[1]};{PHOTOS[2]}|{PHOTOS[3]}", 4),
        (f"{PHOTOS[0]}\n{PHOTOS[1]}", 2),
        (f'"{PHOTOS[0]}", "{PHOTOS[1]}"', 2),
        (f"a (1).jpg ({PHOTOS[0]}),b.jpg ({PHOTOS[1]})", 2),
        (f'["{PHOTOS[0]}", "{PHOTOS[1]}"]', 2),
        (f"['{PHOTOS[0]}', '{PHOTOS[1]}']", 2),
        (f"[front]({PHOTOS[0]})", 1),
        (f'<a href="{PHOTOS[0]}" target="_blank">View</a>', 1),
        (f"{PHOTOS[0]}, the meter from the front", 1),
        (f"front|{PHOTOS[0]}", 1),
        (f"{PHOTOS[0]}\u3002", 1),
    ],
)
def test_a_cell_gives_its_urls_whatever_is_around_them(tmp_path: Path, cell: str, urls: int) -> None:
    found = read_spreadsheet(csv_of(tmp_path / "a.csv", [HEADER, ["1", cell]]))
    assert photos_of(found) == PHOTOS[:urls]


@pytest.mark.parametrize(
    ("cell", "url"),
    [
        ("https://h.example/get.php?id=1&amp;sig=ab", "https://h.example/get.php?id=1&sig=ab"),
        ("https://h.example/my photo 1.jpg", "https://h.example/my%20photo%201.jpg"),
        ("photos.example/may/0.jpg", "http://photos.example/may/0.jpg"),
    ],
)
def test_a_url_is_cleaned(tmp_path: Path, cell: str, url: str) -> None:
    found = read_spreadsheet(csv_of(tmp_path / "a.csv", [HEADER, ["1", cell]]))
    assert photos_of(found) == [url]


@pytest.mark.parametrize(
    "cell", [r"C:\photos\1.jpg", "file:///photos/1.jpg", "ftp://h.example/1.jpg", "data:image/png;base64,AA"]
)
def test_what_is_no_url_of_the_web_refuses_its_row_alone(tmp_path: Path, cell: str) -> None:
    found = read_spreadsheet(csv_of(tmp_path / "a.csv", [HEADER, ["1", PHOTOS[0]], ["2", cell]]))
    assert photos_of(found) == PHOTOS[:1]
    assert len(found.refused) == 1
    assert found.refused[0].reason


@pytest.mark.parametrize("write", [write_xls, write_ods, lambda path, rows: write_xlsx(path, {"S": rows})])
def test_workbooks_of_each_program_are_read(tmp_path: Path, write: Callable[..., Path]) -> None:
    suffix = {write_xls: ".xls", write_ods: ".ods"}.get(write, ".xlsx")
    path = write(tmp_path / f"a{suffix}", [["Photos of May", None], HEADER, *[[str(n), PHOTOS[n]] for n in range(4)]])
    assert photos_of(read_spreadsheet(path)) == PHOTOS


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [
        ("utf-8", "Z\u00e4hler"),
        ("utf-8-sig", "Z\u00e4hler"),
        ("utf-16", "\u7535\u8868"),
        ("cp1252", "Z\u00e4hler dunkel, nicht lesbar"),
        (
            "cp1251",
            "\u0421\u0447\u0435\u0442\u0447\u0438\u043a \u043d\u0435 \u0447\u0438\u0442\u0430\u0435\u0442\u0441\u044f",
        ),
        ("gb18030", "\u7535\u8868\u6b63\u5e38\uff0c\u7167\u7247\u6e05\u695a"),
        ("big5", "\u96fb\u8868\u6b63\u5e38\uff0c\u7167\u7247\u6e05\u695a"),
        ("shift_jis", "\u30e1\u30fc\u30bf\u30fc\u306f\u6b63\u5e38\u3067\u3059"),
    ],
)
def test_text_files_are_read_in_the_encodings_that_programs_write(tmp_path: Path, encoding: str, remark: str) -> None:
    rows = [[*HEADER, "Remark"], *[[str(n), PHOTOS[n], remark] for n in range(4)]]
    found = read_spreadsheet(csv_of(tmp_path / "a.csv", rows, encoding, ";"))
    assert photos_of(found) == PHOTOS
    assert {row.other_columns["Remark"] for row in found.rows} == {remark}


def test_a_guarded_text_and_a_separator_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'sep=;\nAccount;Photo\n="000123";{PHOTOS[0]}\n', encoding="utf-8")
    (row,) = read_spreadsheet(tmp_path / "a.csv").rows
    assert (row.image_url, row.other_columns) == (PHOTOS[0], {"Account": "000123"})


def test_hidden_sheets_are_read_only_when_named(tmp_path: Path) -> None:
    sheets = {"May": [HEADER, ["1", PHOTOS[0]]], "Old": [HEADER, ["2", PHOTOS[1]]]}
    path = write_xlsx(tmp_path / "a.xlsx", sheets, hidden=["Old"])
    found = read_spreadsheet(path)
    assert photos_of(found) == PHOTOS[:1]
    assert "Old (hidden)" in found.skipped
    assert photos_of(read_spreadsheet(path, SheetSettings(sheet="Old"))) == PHOTOS[1:2]


def test_links_formulas_merged_cells_and_formats_of_a_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER)
    for number, cell in enumerate(["open", f'=HYPERLINK("{PHOTOS[1]}","open")', f'=IMAGE("{PHOTOS[2]}")', None], 2):
        sheet.append([number, cell])
        sheet.cell(number, 1).number_format = "0000000000"
    sheet["B2"].hyperlink = PHOTOS[0]
    sheet.merge_cells("B4:B5")
    book.save(tmp_path / "a.xlsx")
    found = read_spreadsheet(tmp_path / "a.xlsx")
    assert photos_of(found) == [*PHOTOS[:3], PHOTOS[2]]
    assert [row.other_columns["Account"] for row in found.rows] == [f"{number:010d}" for number in range(2, 6)]


def test_an_error_beside_the_photos_is_text_and_in_their_column_refuses_its_row(tmp_path: Path) -> None:
    rows = [[*HEADER, "Usage"], ["1", PHOTOS[0], "#SPILL!"], ["2", "#REF!", "5"]]
    found = read_spreadsheet(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert photos_of(found) == PHOTOS[:1]
    assert found.rows[0].other_columns["Usage"] == "#SPILL!"
    assert "#REF!" in str(found.rows[1].reason)


def test_columns_that_hold_no_photos_are_passed_over_and_named(tmp_path: Path) -> None:
    header = ["Meter", "Location", "Photo", "audit_URL"]
    rows = [
        [
            str(n),
            f"https://maps.google.com/?q=12.{n},77.{n}",
            PHOTOS[n] if n else "no photo",
            f"https://h.example/{n}/audit.csv",
        ]
        for n in range(4)
    ]
    found = read_spreadsheet(csv_of(tmp_path / "a.csv", [header, *rows]))
    assert photos_of(found) == PHOTOS[1:]
    assert found.url_columns == ["Photo"]
    assert ["Location" in " ".join(found.passed_over), "audit_URL" in " ".join(found.passed_over)] == [True, True]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("page.xls", b"<html><body><table><tr><td>Photo</td></tr></table></body></html>", "web page"),
        ("doc.xlsx", b"%PDF-1.7 ...", "PDF"),
        ("photo.xlsx", b"\xff\xd8\xff\xe0" + b"x" * 100, "JPEG"),
        ("cut.xlsx", b"PK\x03\x04" + b"\x00" * 100, "zip"),
        ("empty.csv", b"", "empty"),
    ],
)
def test_files_that_are_no_spreadsheets_are_called_what_they_are(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpreadsheetError, match=f"(?i){said}"):
        read_spreadsheet(tmp_path / name)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["x"] * 16_385 + ["url"], ["1"] * 16_385 + [PHOTOS[0]]], "16,384"),
        ([HEADER, ["1", PHOTOS[0] + " " + "x" * 1_000_001]], "1,000,000 characters"),
    ],
)
def test_what_is_too_large_is_refused_with_the_limit(tmp_path: Path, rows: list[list[str]], said: str) -> None:
    with pytest.raises(SpreadsheetError, match=said):
        read_spreadsheet(csv_of(tmp_path / "a.csv", rows))


def test_parts_with_backslashes_are_read(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "whole.xlsx", {"S": [HEADER, ["1", PHOTOS[0]]]})
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo("x")
            info.filename = name if name.startswith("[") else name.replace("/", "\\")
            new.writestr(info, old.read(name))
    assert photos_of(read_spreadsheet(tmp_path / "a.xlsx")) == PHOTOS[:1]


def test_folders_are_read_and_links_are_not(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    (layout.drops / "May").mkdir(parents=True)
    outside = csv_of(tmp_path / "outside.csv", [HEADER, ["1", PHOTOS[0]]])
    shutil.copy(outside, layout.drops / "May" / "inside.csv")
    (layout.drops / "link.csv").symlink_to(outside)
    (layout.drops / "photos").mkdir()
    (layout.drops / "photos" / "1.jpg").write_bytes(b"x")
    drops = take_in_drops(layout).set_index("file_name")
    assert drops["status"].to_dict() == {"May/inside.csv": "read", "link.csv": "refused", "photos": "refused"}
    assert drops.loc["May/inside.csv", "drop"] == "May_inside"
    assert "link" in drops.loc["link.csv", "reason"]
    assert "no spreadsheet" in drops.loc["photos", "reason"]
