"""Dagster's history is read by one engine per file and opened by one list of versions, and says the same as before."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.storage import sql
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

from meter_pipeline.defs.history_access import keep_access


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an engine was made, by the name of its file; engines may be kept already, as after other tests."""
    keep_access()
    made: Counter[str] = Counter()
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):

        def counted(address: str, *, _create: Any = module.create_engine, **options: Any) -> Any:
            made[Path(address).name] += 1
            return _create(address, **options)

        monkeypatch.setattr(module, "create_engine", counted)
    return made


def test_one_engine_per_file_and_no_open_file_is_left(tmp_path: Path, made: Counter[str]) -> None:
    keep_access()
    keep_access()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        before = made.copy()
        for version in "abc":
            instance.report_runless_asset_event(dg.AssetMaterialization("rows", tags={"dagster/data_version": version}))
            event = instance.get_latest_materialization_event(dg.AssetKey("rows"))
            assert event is not None
            assert event.asset_materialization is not None
            assert (event.asset_materialization.tags or {})["dagster/data_version"] == version
            instance.get_runs()
        assert made["index.db"] - before["index.db"] <= 1
        assert made["runs.db"] - before["runs.db"] <= 1
    index = next(tmp_path.rglob("index.db"))
    assert not index.with_name("index.db-wal").exists(), "the last connection takes it away"
    sqlite3.connect(index).execute("SELECT * FROM event_logs").fetchall()


def test_the_versions_are_read_once_for_all_openings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()

    class Counted(ScriptDirectory):
        @classmethod
        def from_config(cls, config: Any) -> ScriptDirectory:
            read[config.get_main_option("script_location")] += 1
            return ScriptDirectory.from_config(config)

    monkeypatch.setattr(sql, "ScriptDirectory", Counted)
    keep_access()
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / name)) as instance:
            assert instance.get_runs() == []
    assert read
    assert set(read.values()) == {1}
