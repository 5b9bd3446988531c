"""What wakes the daemon: each change once, and nothing while nothing changes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from meter_pipeline.cli.dagster_server import changes
from meter_pipeline.cli.dagster_server.changes import Database, DropsFolder, FoldersOfFiles, Repeated
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(changes, "time", clock)
    return clock


def test_a_drop_is_news_when_it_comes_when_it_grows_and_when_it_goes(tmp_path: Path, clock: Clock) -> None:
    layout = Layout(tmp_path)
    layout.drops.mkdir()
    drops = DropsFolder(layout)

    def is_news_at_each_look() -> list[bool]:
        heard = []
        for _ in range(3):
            clock.now += 1
            heard.append(drops.is_news())
        return heard

    once = [True, False, False]
    assert is_news_at_each_look() == once, "the first look, and no other"
    (layout.drops / "may.csv").write_text("url\n", encoding="utf-8")
    assert is_news_at_each_look() == once
    with (layout.drops / "may.csv").open("a", encoding="utf-8") as file:
        file.write("http://host/1.jpg\n")
    assert is_news_at_each_look() == once
    (layout.drops / "may.csv").unlink()
    assert is_news_at_each_look() == once


class Told:
    """A source of news that a test tells."""

    news = False

    def is_news(self) -> bool:
        told, self.news = self.news, False
        return told


def test_repeated_news_is_said_again_some_times_counted_from_the_last_change(clock: Clock) -> None:
    source = Told()
    repeated = Repeated(source, every_s=3, times=2)

    def news_by_second(seconds: int) -> list[int]:
        heard = []
        for second in range(seconds):
            clock.now += 1
            if repeated.is_news():
                heard.append(second)
        return heard

    assert news_by_second(10) == []
    source.news = True
    assert news_by_second(20) == [0, 3, 6]
    source.news = True
    assert news_by_second(5) == [0, 3]
    source.news = True
    assert news_by_second(20) == [0, 3, 6]


def test_a_folder_that_takes_long_to_list_is_looked_at_less_often(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def slow_listing(_folder: Path) -> list[object]:
        looks.append(clock.now)
        clock.now += 0.1
        return []

    monkeypatch.setattr(changes, "listing", slow_listing)
    drops = DropsFolder(Layout(tmp_path))
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
