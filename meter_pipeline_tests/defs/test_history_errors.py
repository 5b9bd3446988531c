"""A broken or full history of Dagster is said in a sentence that names the file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from meter_pipeline.defs.history_errors import CONFIG, DATABASES, damaged_databases, history_error


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for name in (*DATABASES, "history/runs/0196.db"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE runs (id TEXT)")
            database.executemany("INSERT INTO runs VALUES (?)", [("x" * 100,)] * 500)
            database.commit()
    return tmp_path


@pytest.mark.parametrize("damage", [_cut, _folder, lambda path: path.write_bytes(b"\x00\xffgarbage{")])
@pytest.mark.parametrize("name", [*DATABASES, "history/runs/0196.db"])
def test_the_damaged_file_is_named(home: Path, name: str, damage: Callable[[Path], None]) -> None:
    assert not list(damaged_databases(home))
    before = sorted(home.rglob("*"))
    damage(home / name)
    assert [path for path, _ in damaged_databases(home)] == [home / name]
    sentence = history_error(_raised("database disk image is malformed"))
    assert sentence is not None
    assert (sentence.where, "meter verify --mend" in sentence.fix) == (str(home / name), True)
    assert sorted(home.rglob("*")) == before, "looking makes no file"


@pytest.mark.parametrize("said", ["database or disk is full", "attempt to write a readonly database"])
def test_a_disk_that_takes_nothing_is_said(home: Path, said: str) -> None:
    sentence = history_error(_raised(said))
    assert sentence is not None
    assert "SQL" not in str(sentence)
    assert sentence.where == str(home)


def test_other_errors_are_not_the_historys(home: Path) -> None:
    shutil.rmtree(home / "history")
    assert history_error(KeyError("runs")) is None


def _raised(said: str) -> Exception:
    """Return an error as Dagster lets it through: SQLAlchemy's around SQLite's."""
    return OperationalError("SELECT 1", {}, sqlite3.OperationalError(said))


@pytest.mark.parametrize("content", [b"\x00\xffgarbage{", b"a\0b"])
def test_settings_of_dagster_that_are_no_text_are_named(home: Path, content: bytes) -> None:
    (home / CONFIG).write_bytes(content)
    sentence = history_error(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))
    assert sentence is not None
    assert (sentence.what, sentence.where) == ("Dagster's settings are no text.", str(home / CONFIG))
