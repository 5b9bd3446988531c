"""Exports have the agreed columns, are written only where something changed, and run no formula."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from meter_pipeline.batches import export_table, prediction_exports
from meter_pipeline.batches.export_table import FURTHER_COLUMNS, PLACE_COLUMNS, with_reviewed_label
from meter_pipeline.errors import MeterError, StorageError, storage_errors
from meter_pipeline.ingest.sheets.spreadsheets import read_spreadsheet
from meter_pipeline.storage.files import safe_name, write_bytes
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, DROPS, EXPORT_COLUMNS
from meter_pipeline_tests.support.exports import read_export, write_exports
from meter_pipeline_tests.support.sheet_texts import ANY_TEXT

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "'=1",
    "''",
    "'",
    "-",
    "=cmd|' /C calc'!A0",
]

OURS = len(EXPORT_COLUMNS) + len(FURTHER_COLUMNS) + len(PLACE_COLUMNS)
"""Columns before the sheet's own."""


def tables(
    drop: str, others: list[dict[str, str]], label: str = "LT2"
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    count = len(others)
    places = {
        "drop": [drop] * count,
        "position": list(range(count)),
        "sheet": ["May"] * count,
        "row_number": [number + 2 for number in range(count)],
        "image_url": [f"http://p.example/{number}.jpg" for number in range(count)],
    }
    cells = {"other_columns": [json.dumps(o) for o in others], "cells_position": list(range(count))}
    rows = pd.DataFrame(places | cells | {"reason": [None] * count})
    predictions = pd.DataFrame({name: [None] * count for name in BATCH_PREDICTIONS.columns}).assign(
        **places,
        final_prediction=label,
        top1_class=label,
        top1_confidence=0.912345,
        calibrated_confidence=0.876543,
        nearest_known_class="LT2",
        brightness=12.3456,
        green_ratio=0.5,
        reason="sure",
        reviewed_label=None,
    )
    drops = pd.DataFrame([dict.fromkeys(DROPS.columns) | {"drop": drop, "file_name": f"{drop}.xlsx", "status": "read"}])
    return predictions, rows[list(DROP_ROWS.columns)], drops


def workbook(path: Path) -> list[list[object]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path).active.iter_rows()]


def test_the_export_has_the_agreed_columns_then_the_sheets_own(tmp_path: Path) -> None:
    write_exports(*tables("may", [{"Account": "000123", "Remark": "dunkel"}]), tmp_path)
    content = (tmp_path / "may.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf"), "by this mark Excel knows UTF-8"
    header, row = content.decode("utf-8-sig").splitlines()
    assert header.split(",") == [*EXPORT_COLUMNS, *FURTHER_COLUMNS, *PLACE_COLUMNS, "Account", "Remark"]
    assert row == "http://p.example/0.jpg,LT2,LT2,91.23,,,,,12.35,,0.5000,sure,,87.65,LT2,,May,2,000123,dunkel"
    cells = workbook(tmp_path / "may.xlsx")
    assert cells[0] == header.split(",")
    assert cells[1][:4] == ["http://p.example/0.jpg", "LT2", "LT2", 91.23]
    assert cells[1][-3:] == [2, "000123", "dunkel"]
    sheet = openpyxl.load_workbook(tmp_path / "may.xlsx").active
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:T2")


def test_what_a_person_said_stands_beside_the_models_word(tmp_path: Path) -> None:
    predictions, rows, drops = tables("may", [{}, {}, {}, {}], label="UNKNOWN")
    predictions["image_id"] = ["aa", "bb", "cc", None]
    reviewed = pd.DataFrame(
        {
            "image_id": ["aa", "bb", "cc"],
            "action": ["name", "junk", "later"],
            "label": ["\u0928\u092f\u093e", None, None],
        }
    )
    write_exports(with_reviewed_label(predictions, reviewed), rows, drops, tmp_path)
    with (tmp_path / "may.csv").open(encoding="utf-8-sig", newline="") as handle:
        read = list(csv.DictReader(handle))
    assert [row["reviewed_label"] for row in read] == ["\u0928\u092f\u093e", "junk", "", ""]
    assert {row["final_prediction"] for row in read} == {"UNKNOWN"}


def test_only_what_changed_is_written_again(tmp_path: Path) -> None:
    may, june = tables("may", [{"a": "1"}]), tables("june", [{"a": "1"}])

    def write(*parts: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> int:
        return write_exports(
            *(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True)), tmp_path
        ).written

    assert write(may, june) == 2
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.glob("*.xlsx")}
    assert write(may, june) == 0
    assert write(may, tables("june", [{"a": "1"}], label="LT3")) == 1
    assert (tmp_path / "may.xlsx").stat().st_mtime_ns == before["may.xlsx"][0]
    (tmp_path / "may.csv").unlink()
    assert write(may, tables("june", [{"a": "1"}], label="LT3")) == 1
    (tmp_path / ".exports.json").write_text("broken", encoding="utf-8")
    assert write(may, june) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.xlsx")} == {n: b for n, (_, b) in before.items()}


def test_formulas_from_the_sheet_stay_text(tmp_path: Path) -> None:
    others = [{"Remark": text, "=HYPERLINK(1)": "x"} for text in FORMULAS]
    write_exports(*tables("may", others), tmp_path)
    for line in read_raw(tmp_path / "may.csv")[1:]:
        assert not line[OURS].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    back = read_export(tmp_path / "may.csv")
    assert back["Remark"].tolist() == FORMULAS
    assert "=HYPERLINK(1)" in back
    for row in openpyxl.load_workbook(tmp_path / "may.xlsx").active.iter_rows():
        assert all(cell.data_type != "f" for cell in row)
    assert [unescape(str(row[OURS])) for row in workbook(tmp_path / "may.xlsx")[1:]] == FORMULAS
    again = read_spreadsheet(tmp_path / "may.xlsx")
    assert [row.other_columns["Remark"] for row in again.rows] == FORMULAS


def read_raw(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_can_be_dropped_again_and_keeps_its_columns(tmp_path: Path, ending: str) -> None:
    write_exports(*tables("may", [{"Account": "000123", "Remark": "=1+1", "reason": "theirs"}]), tmp_path)
    found = read_spreadsheet(tmp_path / f"may.{ending}")
    (row,) = found.rows
    assert row.image_url == "http://p.example/0.jpg"
    assert (row.other_columns["Account"], row.other_columns["Remark"]) == ("000123", "=1+1")
    assert (row.other_columns["reason"], row.other_columns["reason (sheet)"]) == ("sure", "theirs")
    write_exports(*tables("again", [row.other_columns]), tmp_path)
    header = read_raw(tmp_path / "again.csv")[0]
    assert len(header) == len(set(header))
    assert {"final_prediction (sheet)", "reason (sheet)", "reason (sheet) (sheet)"} & set(header)


def test_a_refused_drop_gets_a_note_that_goes_away(tmp_path: Path) -> None:
    predictions, rows, drops = tables("may", [{}])
    refused = drops.assign(drop="bad", file_name="bad.xlsx", status="refused", reason="The file is empty.")
    write_exports(predictions, rows, pd.concat([drops, refused]), tmp_path)
    note = (tmp_path / "bad_REFUSED.txt").read_text(encoding="utf-8")
    assert "bad.xlsx was not read" in note
    assert "The file is empty." in note
    write_exports(predictions, rows, drops, tmp_path)
    assert not list(tmp_path.glob("*_REFUSED.txt"))


def test_what_was_not_taken_is_in_a_note_that_goes_away(tmp_path: Path) -> None:
    predictions, rows, drops = tables("may", [{}])
    write_exports(predictions, rows, drops.assign(passed_over="Map (links to maps)", url_columns="Photo"), tmp_path)
    note = (tmp_path / "may_PASSED_OVER.txt").read_text(encoding="utf-8")
    assert "may.xlsx: the photos' URLs were taken from Photo." in note
    assert "Not taken: Map (links to maps)" in note
    write_exports(predictions, rows, drops, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".exports.json", "may.csv", "may.xlsx"}


def write_together(folder: Path, *parts: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    write_exports(*(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True)), folder)


def refused(drop: str, reason: str = "The file is empty.", file_name: str = "x.xlsx") -> tuple[pd.DataFrame, ...]:
    predictions, rows, drops = tables(drop, [{}])
    note = drops.assign(status="refused", reason=reason, file_name=file_name)
    return predictions[:0], rows[:0], note


def open_in_excel(_: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def nothing_left(_: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("stands_in_the_way", "said"),
    [
        (lambda folder: (folder / "june.xlsx").mkdir(), r"june\.xlsx: a folder is in its place; move"),
        (lambda folder: (folder / "june.csv").mkdir(), r"june\.csv: a folder is in its place; move"),
    ],
)
def test_what_fails_for_one_drop_is_its_failure_alone(
    tmp_path: Path, stands_in_the_way: Callable[[Path], None], said: str
) -> None:
    stands_in_the_way(tmp_path)
    good, bad = tables("july", [{"a": "1"}]), tables("june", [{"a": "1"}])
    with pytest.raises(MeterError, match=said) as raised:
        write_together(tmp_path, tables("may", [{"a": "1"}]), bad, good, refused("none"))
    assert not isinstance(raised.value, StorageError)
    assert "1 file" in raised.value.what
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert {"may.csv", "may.xlsx", "july.csv", "july.xlsx", "none_REFUSED.txt"} < files
    assert not [name for name in files if name.startswith(".tmp-")]
    for place in tmp_path.glob("june.*"):
        if place.is_dir():
            place.rmdir()
    write_together(tmp_path, tables("may", [{"a": "1"}]), bad, good, refused("none"))
    assert read_export(tmp_path / "june.csv")["a"].tolist() == ["1"]


def failing_for(drop: str, fail: Callable[[Path], None]) -> Callable[[Path, bytes], None]:
    def write(path: Path, content: bytes) -> None:
        with storage_errors(path):
            if path.name.startswith(drop):
                fail(path)
        write_bytes(path, content)

    return write


def too_long(_: Path) -> None:
    raise OSError(errno.ENAMETOOLONG, "File name too long")


def faulty(_: Path) -> None:
    raise ValueError("R. Das, Main Street 5")


def not_enough(_: Path) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (open_in_excel, "open in another program.*close it"),
        (too_long, "too long here; give the spreadsheet a shorter name"),
        (faulty, "ValueError in test_prediction_exports.py, line [0-9]+; report this"),
        (not_enough, "not enough memory; divide the spreadsheet"),
    ],
)
def test_each_failure_says_what_to_do_and_nothing_of_the_rows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fail: Callable[[Path], None],
    said: str,
) -> None:
    monkeypatch.setattr(prediction_exports, "write_bytes", failing_for("june", fail))
    parts = [tables("june", [{"a": "1"}]), tables("may", [{"a": "1"}]), refused("june2"), refused("none")]
    with pytest.raises(MeterError, match=said) as raised:
        write_together(tmp_path, *parts)
    assert [name for name in ("june.csv", "june.xlsx", "june2_REFUSED.txt") if name not in str(raised.value)] == []
    assert "Das" not in str(raised.value) + caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {".exports.json", "may.csv", "may.xlsx", "none_REFUSED.txt"}


def test_a_full_disk_stops_the_exports_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_exports, "write_bytes", failing_for("june", nothing_left))
    with pytest.raises(StorageError, match="disk is full"):
        write_together(tmp_path, tables("june", [{"a": "1"}]), tables("may", [{"a": "1"}]))
    assert not list(tmp_path.glob("may*"))


def test_broken_cells_of_one_drop_are_its_failure_alone(tmp_path: Path) -> None:
    bad = tables("june", [{"a": "1"}])
    bad[1]["other_columns"] = "{broken"
    with pytest.raises(MeterError, match=r"june\.csv: JSONDecodeError in"):
        write_together(tmp_path, tables("may", [{"a": "1"}]), bad)
    assert (tmp_path / "may.csv").exists()


@pytest.mark.parametrize("letter", ["\u0928", "\u96fb", "a", "\U0001f600"])
def test_drops_with_the_longest_names_have_exports_and_notes(tmp_path: Path, letter: str) -> None:
    drop, other = safe_name(letter * 200), safe_name("x" + letter * 200)
    write_together(tmp_path, tables(drop, [{"a": "1"}]), refused(other))
    assert {path.name for path in tmp_path.iterdir()} == {
        ".exports.json",
        f"{drop}.csv",
        f"{drop}.xlsx",
        f"{other}_REFUSED.txt",
    }


def sharing_one_row(count: int, cells: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Several URLs of one sheet row, as `drop_rows` has them."""
    predictions, rows, drops = tables("may", [{}] * count)
    rows["cells_position"] = 0
    rows["other_columns"] = [json.dumps(cells), *[None] * (count - 1)]
    return predictions, rows, drops


def test_the_urls_of_a_sheet_row_share_its_cells_but_for_long_ones(tmp_path: Path) -> None:
    write_exports(*sharing_one_row(3, {"Account": "7", "Remark": "x" * 1001, "Note": "y" * 1000}), tmp_path)
    back = read_export(tmp_path / "may.csv")
    assert back["Account"].tolist() == ["7"] * 3
    assert back["Remark"].tolist() == ["x" * 1001, "", ""]
    assert back["Note"].tolist() == ["y" * 1000] * 3


def test_rows_kept_from_before_have_cells_of_their_own(tmp_path: Path) -> None:
    predictions, rows, drops = tables("may", [{"a": "1"}, {"a": "2"}])
    write_exports(predictions, rows.assign(cells_position=None), drops, tmp_path)
    assert read_export(tmp_path / "may.csv")["a"].tolist() == ["1", "2"]


def test_a_long_remark_beside_many_urls_is_written_once(tmp_path: Path) -> None:
    cells = {"Remark": "x" * 900_000} | {f"c{number}": "y" * 900 for number in range(100)}
    write_exports(*sharing_one_row(2_000, cells), tmp_path)
    assert (tmp_path / "may.csv").stat().st_size < 12_000_000


def test_columns_that_few_rows_have_do_not_fill_all_others_with_blanks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_table, "ANY_CELLS", 20)
    monkeypatch.setattr(export_table, "TIMES_AS_MANY", 1)
    others = [{"Account": str(number)} for number in range(5)] + [
        {"Account": "x", **{f"c{n}": str(n) for n in range(9)}}
    ]
    write_exports(*tables("may", others), tmp_path)
    back = read_export(tmp_path / "may.csv")
    assert back.columns[OURS] == "Account"
    assert back["Account"].tolist() == ["0", "1", "2", "3", "4", "x"]
    kept = list(back.columns[OURS:])
    assert kept[-1] == "further columns"
    assert back["further columns"].tolist()[:5] == [""] * 5
    rest = json.loads(back["further columns"].iloc[5])
    assert {**rest, **{name: back[name].iloc[5] for name in kept[:-1]}} == others[5]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(ANY_TEXT.filter(bool), ANY_TEXT, max_size=3), min_size=1, max_size=3))
@example([{"a": "_x000D_", "b": "x" * 40000, "c": "\x00\x01\x0b\r\n", "reason": "-5", "sheet": "#N/A"}])
def test_export_then_import_gives_back_what_went_in(tmp_path: Path, others: list[dict[str, str]]) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    write_exports(*tables("may", others), folder)
    back = read_export(folder / "may.csv")
    names = list(dict.fromkeys(name for row in others for name in row))
    assert back.iloc[:, OURS:].values.tolist() == [[row.get(name, "") for name in names] for row in others]
    cells = [row[OURS:] for row in workbook(folder / "may.xlsx")[1:]]
    assert [len(row) for row in cells] == [len(names)] * len(others)
