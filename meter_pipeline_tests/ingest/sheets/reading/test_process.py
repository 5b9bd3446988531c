"""A file that costs too much, or crashes its reader, is refused; the limits, the process and the other files hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.reading.process import (
    CostlySpreadsheetError,
    InterruptedReadingError,
    ReadingProcess,
    UnexpectedReadingError,
)
from meter_pipeline.settings import SheetSettings

LIMITS = SheetSettings(sheet_memory_mb=300, sheet_seconds=4)
HOSTILE_WORKER = """
import ctypes, os, sys, time
from meter_pipeline.errors import SpreadsheetError
from meter_pipeline.ingest.sheets.reading import worker
from meter_pipeline.ingest.sheets.spreadsheets import SheetRow, Spreadsheet, read_spreadsheet

def read(path, choice, *, content, looked=None):
    name = path.stem
    if name == "grows":
        held = []
        while True:
            held.append(bytearray(b"x" * 10_000_000))
            time.sleep(0.005)
    if name == "at_once":
        return bytearray(1 << 40)
    if name == "computes":
        while True:
            pass
    if name == "waits":
        time.sleep(600)
    if name == "segfault":
        ctypes.string_at(0)
    if name == "abort":
        os.abort()
    if name == "rust":
        sys.stderr.write("memory allocation of 99999999999 bytes failed\\n")
        sys.stderr.flush()
        os.abort()
    if name == "killed":
        os.kill(os.getpid(), 9)
    if name == "exits":
        sys.exit(3)
    if name == "recursion":
        return read(path, choice, content=content)
    if name == "bug":
        raise KeyError("secret of row 7")
    if name == "panic":
        class PanicException(BaseException): pass
        raise PanicException("secret")
    if name == "prints":
        print("hello" * 10_000)
        os.system("echo from a library")
    if name == "chatty":
        sys.stderr.write("warning " * 1_000_000)
    if name == "half":
        return Spreadsheet([SheetRow("", 2, "http://a.example/\\ud83d.jpg", {"remark": "\\udc80"})])
    if name == "wide":
        rows = [SheetRow("", n, "http://a.example/", {"r": "x" * 1_000_000}) for n in range(2)]
        return Spreadsheet(rows * 100)
    if name == "broken_off":
        return Spreadsheet([SheetRow("", 2, "http://a.example/", {}), object()])
    return read_spreadsheet(path, choice, content=content)

worker.read_spreadsheet = read
worker.main()
"""


def started_by_this_process() -> set[psutil.Process]:
    """Return the child processes; tests that ran before in this process may have left some of their own."""
    return set(psutil.Process().children())


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[ReadingProcess]:
    """A reading process whose reader does what the name of the file says."""
    script = tmp_path / "hostile_worker.py"
    script.write_text(HOSTILE_WORKER, encoding="utf-8")
    others = started_by_this_process()
    with ReadingProcess(LIMITS, [sys.executable, str(script)]) as process:
        yield process
    assert started_by_this_process() == others


def sheet(folder: Path, stem: str, *urls: str) -> Path:
    path = folder / f"{stem}.csv"
    path.write_text("remark,url\n" + "".join(f"r,{url}\n" for url in urls or ["http://p.example/1.jpg"]), "utf-8")
    return path


def urls_of(process: ReadingProcess, path: Path) -> list[str]:
    return pa.Table.from_batches(process.read(path).batches)["image_url"].to_pylist()


@pytest.mark.parametrize(
    ("stem", "error", "says"),
    [
        ("grows", CostlySpreadsheetError, "METER_SHEET_MEMORY_MB (now 300)"),
        ("at_once", CostlySpreadsheetError, "METER_SHEET_MEMORY_MB (now 300)"),
        ("rust", CostlySpreadsheetError, "METER_SHEET_MEMORY_MB (now 300)"),
        ("wide", CostlySpreadsheetError, "METER_SHEET_MEMORY_MB (now 300)"),
        ("computes", CostlySpreadsheetError, "METER_SHEET_SECONDS (now 4)"),
        ("killed", InterruptedReadingError, "tries it again"),
        ("segfault", UnexpectedReadingError, "save it as a new .xlsx"),
        ("abort", UnexpectedReadingError, "save it as a new .xlsx"),
        ("exits", UnexpectedReadingError, "save it as a new .xlsx"),
        ("recursion", UnexpectedReadingError, "RecursionError"),
        ("bug", UnexpectedReadingError, "KeyError"),
        ("panic", UnexpectedReadingError, "PanicException"),
        ("broken_off", UnexpectedReadingError, "save it as a new .xlsx"),
    ],
)
def test_what_ends_the_reader_refuses_the_file_and_no_other(
    hostile: ReadingProcess, tmp_path: Path, stem: str, error: type[SpreadsheetError], says: str
) -> None:
    assert urls_of(hostile, sheet(tmp_path, "before")) == ["http://p.example/1.jpg"]
    with pytest.raises(error) as raised:
        hostile.read(sheet(tmp_path, stem))
    assert says in str(raised.value)
    assert f"[{stem}.csv]" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert urls_of(hostile, sheet(tmp_path, "after", "http://p.example/2.jpg")) == ["http://p.example/2.jpg"]


def test_a_reader_that_waits_for_ever_is_ended_by_the_clock(tmp_path: Path) -> None:
    script = tmp_path / "hostile_worker.py"
    script.write_text(HOSTILE_WORKER, encoding="utf-8")
    limits = SheetSettings(sheet_seconds=0.2)
    with ReadingProcess(limits, [sys.executable, str(script)]) as process, pytest.raises(CostlySpreadsheetError):
        process.read(sheet(tmp_path, "waits"))


@pytest.mark.parametrize("stem", ["prints", "chatty"])
def test_what_a_library_prints_is_not_taken_for_the_answer(hostile: ReadingProcess, tmp_path: Path, stem: str) -> None:
    assert urls_of(hostile, sheet(tmp_path, stem)) == ["http://p.example/1.jpg"]


def test_half_characters_become_text_that_can_be_written(hostile: ReadingProcess, tmp_path: Path) -> None:
    table = pa.Table.from_batches(hostile.read(sheet(tmp_path, "half")).batches)
    assert table["image_url"].to_pylist() == ["http://a.example/\\ud83d.jpg"]
    assert table["other_columns"].to_pylist() == ['{"remark": "\\udc80"}']


def test_one_process_serves_one_file_after_the_other(tmp_path: Path) -> None:
    others = started_by_this_process()
    with ReadingProcess(SheetSettings()) as process:
        assert started_by_this_process() == others, "it starts with the first file"
        first: set[psutil.Process] = set()
        for number in range(3):
            url = f"http://p.example/{number}.jpg"
            assert urls_of(process, sheet(tmp_path, "a", url)) == [url]
            children = started_by_this_process() - others
            assert len(children) == 1
            assert children == (first := first if number else children)
        with pytest.raises(SpreadsheetError, match="is not a spreadsheet"):
            (tmp_path / "a.pdf").write_bytes(b"%PDF")
            process.read(tmp_path / "a.pdf")
        assert started_by_this_process() - others == children, "a refused file ends nothing"
    assert started_by_this_process() == others


def test_a_refusal_is_the_readers_own(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    with ReadingProcess(SheetSettings()) as process, pytest.raises(SpreadsheetError) as raised:
        process.read(tmp_path / "empty.csv")
    assert str(raised.value) == (
        "The file is empty (0 bytes). [empty.csv] Copy it again; the copy may not have finished."
    )


def test_a_file_that_is_gone_or_a_link_is_not_opened(tmp_path: Path) -> None:
    target = sheet(tmp_path, "target")
    with ReadingProcess(SheetSettings()) as process:
        with pytest.raises(FileNotFoundError):
            process.read(tmp_path / "gone.csv")
        (tmp_path / "link.csv").symlink_to(target)
        with pytest.raises(OSError):
            process.read(tmp_path / "link.csv")
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(OSError, match="not a plain file"):
            process.read(tmp_path / "pipe.csv")
        assert urls_of(process, target) == ["http://p.example/1.jpg"]


def test_a_process_that_was_ended_between_two_files_is_started_again(tmp_path: Path) -> None:
    others = started_by_this_process()
    with ReadingProcess(SheetSettings()) as process:
        assert urls_of(process, sheet(tmp_path, "a")) == ["http://p.example/1.jpg"]
        for child in started_by_this_process() - others:
            child.kill()
            child.wait()
        assert urls_of(process, sheet(tmp_path, "a")) == ["http://p.example/1.jpg"]


def test_a_row_with_several_urls_carries_its_cells_once(tmp_path: Path) -> None:
    several = " ".join(f"http://p.example/{number}.jpg" for number in range(3))
    (tmp_path / "a.csv").write_text(f"remark,url\nfirst,{several}\nsecond,http://p.example/4.jpg\n", "utf-8")
    with ReadingProcess(SheetSettings()) as process:
        table = pa.Table.from_batches(process.read(tmp_path / "a.csv").batches)
    assert table["cells_position"].to_pylist() == [0, 0, 0, 3]
    assert [cells and json.loads(cells) for cells in table["other_columns"].to_pylist()] == [
        {"remark": "first"},
        None,
        None,
        {"remark": "second"},
    ]


def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "hostile_worker.py"
    script.write_text(HOSTILE_WORKER, encoding="utf-8")
    path = str(sheet(tmp_path, "waits"))
    starter = (
        "import sys; from pathlib import Path; from meter_pipeline.settings import SheetSettings\n"
        "from meter_pipeline.ingest.sheets.reading.process import ReadingProcess\n"
        f"ReadingProcess(SheetSettings(), [sys.executable, {str(script)!r}]).read(Path({path!r}))"
    )
    parent = psutil.Popen([sys.executable, "-c", starter], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (children := parent.children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert children
    assert not alive


def test_the_process_loads_neither_pandas_nor_torch() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, meter_pipeline.ingest.sheets.reading.worker as _; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"pandas", "torch", "scipy", "requests", "dagster", "openpyxl"} & set(said)
