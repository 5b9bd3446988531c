"""What wakes the daemon: each change once, and nothing while nothing changes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from meter_pipeline.cli.dagster_server import changes
from meter_pipeline.cli.dagster_server.changes import Database, DropsFolder, FoldersOfFiles
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(changes, "time", clock)
    return clock


def test_a_drop_is_news_when_it_comes_and_when_it_has_had_time_to_settle(tmp_path: Path, clock: Clock) -> None:
    layout = Layout(tmp_path)
    layout.drops.mkdir()
    drops = DropsFolder(layout, settles_after_s=3)

    def news_by_second(seconds: int) -> list[int]:
        heard = []
        for second in range(seconds):
            clock.now += 1
            if drops.is_news():
                heard.append(second)
        return heard

    assert news_by_second(10) == [0], "the first look, and no other"
    (layout.drops / "may.csv").write_text("url\n", encoding="utf-8")
    assert news_by_second(10) == [0, 3]
    with (layout.drops / "may.csv").open("a", encoding="utf-8") as file:
        file.write("http://host/1.jpg\n")
    assert news_by_second(10) == [0, 3]
    (layout.drops / "may.csv").unlink()
    assert news_by_second(10) == [0], "what is gone need not settle"


def test_a_folder_that_takes_long_to_list_is_looked_at_less_often(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def slow_listing(_folder: Path) -> list[object]:
        looks.append(clock.now)
        clock.now += 0.1
        return []

    monkeypatch.setattr(changes, "listing", slow_listing)
    drops = DropsFolder(Layout(tmp_path), settles_after_s=3)
    for _ in range(100):
        clock.now += 1
        drops.is_news()
    assert len(looks) == pytest.approx(10, abs=1)


def test_a_decision_is_news_once(tmp_path: Path) -> None:
    decisions = FoldersOfFiles(tmp_path / "decisions")
    assert decisions.is_news()
    assert not decisions.is_news()
    file = tmp_path / "decisions" / "2026-11" / "0196.json"
    file.parent.mkdir(parents=True)
    assert decisions.is_news()
    file.write_text("{}", encoding="utf-8")
    os.utime(file.parent, ns=(1, 1))  # clocks of file systems may be coarse
    assert decisions.is_news()
    assert not decisions.is_news()


def test_a_database_is_news_when_somebody_wrote_to_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    database = Database(path)
    assert not database.is_news(), "there is none yet"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE runs (id)")
    assert database.is_news()
    assert not database.is_news()
    writer.execute("SELECT * FROM runs").fetchall()
    assert not database.is_news()
    writer.execute("INSERT INTO runs VALUES (1)")
    writer.commit()
    writer.close()
    assert database.is_news()
    assert not database.is_news()
    database.close()


def test_a_damaged_database_is_no_news_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    assert not Database(tmp_path / "runs.db").is_news()
