"""A run of the command line: stopped by a person, it says so and is no failure of the program."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from meter_pipeline.cli.runs import run_job
from meter_pipeline.ingest import drop_rows

pytestmark = pytest.mark.slow


def test_a_run_that_a_person_stops_ends_as_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was said to have failed in a way that was not foreseen."""

    def stopped(*_arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)

    monkeypatch.setattr(drop_rows, "take_in_drops", stopped)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))
    with pytest.raises(KeyboardInterrupt):
        run_job("update", overrides={"data_dir": str(tmp_path)})
