"""Whose a Dagster history is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meter_pipeline.defs.instance import OWNER_FILE, prepare_home
from meter_pipeline.errors import MeterError


@pytest.fixture(autouse=True)
def _no_home_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")


def test_a_data_folder_that_moved_with_its_history_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    prepare_home(before)
    before.rename(after)
    monkeypatch.setenv("DAGSTER_HOME", "")
    home = prepare_home(after)
    assert home == after / "dagster_home"
    assert (home / OWNER_FILE).read_text(encoding="utf-8").strip() == str(after)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_in_a_home_that_is_open_what_dagster_keeps_is_closed_to_others(tmp_path: Path) -> None:
    (home := tmp_path / "data" / "dagster_home").mkdir(parents=True)
    home.chmod(0o755)  # as git makes it
    assert prepare_home(tmp_path / "data") == home
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir() if path.is_dir()}
    assert modes == dict.fromkeys(("history", "schedules", "storage"), 0o700)


def test_the_history_of_another_data_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(tmp_path / "one")))
    with pytest.raises(MeterError, match="belongs to the data directory"):
        prepare_home(tmp_path / "other")
