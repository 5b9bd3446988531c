"""Whatever fails, a person reads a sentence with a file and what to do; who mends the program finds the traceback."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from meter_pipeline.cli import last_resort
from meter_pipeline.cli.last_resort import sentence_of
from meter_pipeline.cli.runs import run_job
from meter_pipeline.errors import MeterError
from meter_pipeline_tests.support.commands import meter


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))
    return tmp_path


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as raised:
        return raised


def test_a_fault_of_the_program_is_a_sentence_and_its_traceback_is_kept_without_secrets(data_dir: Path) -> None:
    secret = "https://anna:hunter2@host/a.jpg?sig=0123456789abcdefABCDEF"
    sentence = sentence_of(_raised(KeyError(secret)))
    kept = Path(sentence.where)
    assert (kept.parent, "KeyError" in sentence.what) == (data_dir / "logs", True)
    assert "meter verify" in sentence.fix
    content = kept.read_text(encoding="utf-8")
    assert "Traceback" in content
    assert "hunter2" not in content + str(sentence)
    assert "0123456789abcdef" not in content + str(sentence)


def test_only_the_last_tracebacks_are_kept(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_resort, "KEPT", 2)
    kept = [sentence_of(_raised(KeyError("x"))).where for _ in range(4)]
    assert sorted(map(str, (data_dir / "logs").iterdir())) == kept[-2:]


def test_a_disk_that_takes_no_traceback_is_still_said(data_dir: Path) -> None:
    (data_dir / "logs").write_text("a file in the way", encoding="utf-8")
    sentence = sentence_of(_raised(OSError(errno.ENOSPC, "No space left on device", "/data/x")))
    assert str(sentence).startswith("The disk is full. [/data/x]")


def test_what_a_room_said_stays_as_it_is(data_dir: Path) -> None:
    said = MeterError("The settings file is not text.")
    assert sentence_of(said) is said
    assert not (data_dir / "logs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dagster_home/history/runs.db", "meter.env"])
def test_the_command_says_which_file_is_broken(data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x00\xffgarbage{")
    monkeypatch.delenv("DAGSTER_HOME")
    done = meter(data_dir, "update", ok=False)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (1, False)
    assert f"[{path}]" in done.stderr
    assert "Error:" not in done.stderr


@pytest.mark.slow
def test_a_step_of_a_run_says_it_too(data_dir: Path) -> None:
    """The tables' folder is a file: neither Dagster's log nor the command shows a class of Python's."""
    (data_dir / "lake").write_text("a file in the way", encoding="utf-8")
    run = run_job("update")
    assert not run.success
    assert all(str(data_dir / "lake") in problem and "Error" not in problem for problem in run.problems)
