"""A training in a process of its own: one at a time, it outlives who started it, and how it ended is known after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from meter_pipeline.cli.dashboard import SMALL_MEMORY
from meter_pipeline.dashboard.processes.commands import OF_A_SERVER, environment_for
from meter_pipeline.dashboard.processes.training_runs import (
    LAST_LINES,
    Progress,
    TrainingRun,
    look_at_training,
    start_command,
)
from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.storage.files import read_json, write_json
from meter_pipeline.storage.layout import Layout

PATIENCE_S = 60


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def seen(layout: Layout, progress: Progress) -> TrainingRun:
    """Wait until the training has come so far."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        run = look_at_training(layout)
        assert run is not None
        if run.progress == progress:
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.05)


def test_one_at_a_time_and_how_it_ended(layout: Layout, tmp_path: Path) -> None:
    assert look_at_training(layout) is None
    go = tmp_path / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
    run = start_command(layout, python(f"{wait}print('über 99%')"), by=" anna ")
    assert (run.progress, run.by) == (Progress.RUNNING, "anna")
    with pytest.raises(MeterError, match="under way"):
        start_command(layout, python("pass"), by="bob")
    go.touch()
    assert seen(layout, Progress.ENDED_WELL).last_lines == "über 99%"
    start_command(layout, python("print('first'); raise SystemExit('no photos')"), by="")
    assert seen(layout, Progress.FAILED).last_lines == "first\nno photos"


def test_it_is_nobodys_child_so_that_it_outlives_the_dashboard(layout: Layout) -> None:
    start_command(layout, python("import time; time.sleep(60)"), by="")
    pid = read_json(layout.locks / "dashboard_training.json")["pid"]
    assert pid not in {child.pid for child in psutil.Process().children(recursive=True)}
    keeper = psutil.Process(pid)
    assert os.getpgid(pid) != os.getpgid(0), "Ctrl-C in the dashboard's terminal does not reach it"
    deadline = time.monotonic() + PATIENCE_S
    while not (layout.locks / "dashboard_training_ended.json").exists():
        assert time.monotonic() < deadline
    (training,) = keeper.children()
    keeper.kill()
    psutil.wait_procs([keeper], timeout=PATIENCE_S)
    with pytest.raises(MeterError, match="under way"):
        start_command(layout, python("pass"), by="")
    training.kill()
    seen(layout, Progress.LOST)


def test_a_process_of_another_time_with_the_same_id_is_not_it(layout: Layout) -> None:
    note = {"pid": os.getpid(), "process_started": 1.0, "since": "2026-11-29T12:00:00+00:00", "by": ""}
    write_json(layout.locks / "dashboard_training.json", note)
    run = look_at_training(layout)
    assert run is not None
    assert (run.progress, run.last_lines) == (Progress.LOST, "")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "process_started": 1, "since": "?", "by": ""}'])
def test_a_damaged_note_is_no_training(layout: Layout, content: str) -> None:
    layout.locks.mkdir()
    (layout.locks / "dashboard_training.json").write_text(content, encoding="utf-8")
    assert look_at_training(layout) is None


def test_of_a_long_log_the_end_is_shown(layout: Layout) -> None:
    start_command(layout, python("for n in range(9000): print('line', n)"), by="")
    lines = seen(layout, Progress.ENDED_WELL).last_lines.splitlines()
    assert (len(lines), lines[-1]) == (LAST_LINES, "line 8999")


def test_what_cannot_be_started_is_said(layout: Layout, tmp_path: Path) -> None:
    start_command(layout, [str(tmp_path / "no such program")], by="")
    assert "could not be started" in seen(layout, Progress.FAILED).last_lines
    (tmp_path / "locks" / "dashboard_training.json").unlink()
    blocked = Layout(tmp_path / "blocked")
    blocked.root.write_text("a file")
    with pytest.raises(StorageError):
        start_command(blocked, python("pass"), by="")


def test_it_runs_on_the_same_data_directory_without_what_makes_a_server_small(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METER_DATA_DIR", "/elsewhere")
    monkeypatch.setenv("METER_EPOCHS_TUNE", "2")
    for name in OF_A_SERVER:
        monkeypatch.setenv(name, "2")
    found = environment_for(layout)
    assert (found["METER_DATA_DIR"], found["METER_EPOCHS_TUNE"]) == (str(layout.root), "2")
    assert not OF_A_SERVER & set(found)
    assert set(SMALL_MEMORY) == OF_A_SERVER


def test_the_starter_needs_no_large_library() -> None:
    code = "import sys, meter_pipeline.dashboard.processes.detached; print('numpy' in sys.modules)"
    assert subprocess.run(python(code), capture_output=True, text=True, check=True).stdout.strip() == "False"
