"""Kill -9 in the middle of a stage, run again: the tables of an undisturbed run, and nothing done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    IMAGE_FEATURES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    URL_IMAGES,
    TableSpec,
)
from meter_pipeline_tests.support.commands import METER, NEW_PHOTOS, copy_of, environment, meter, write_workbook

pytestmark = pytest.mark.slow
TABLES = (DROP_ROWS, URL_IMAGES, IMAGE_FEATURES, BATCH_PREDICTIONS, UNKNOWN_EMBEDDINGS, UNKNOWN_CLUSTERS)
DOWNLOADS_IN_FLIGHT = 8 + 64
"""Downloads under way, and those not yet written down, when a process dies."""


def kill_when(data_dir: Path, ready: Callable[[], bool]) -> None:
    """Start `meter update` and kill it with -9, with whatever it started, as soon as `ready`."""
    process = subprocess.Popen(
        [*METER, "update"], env=environment(data_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 180
    while not ready():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def versions(data_dir: Path) -> dict[str, str]:
    lake = Lake(data_dir / "lake")
    return {spec.name: lake.version(spec) for spec in TABLES}


def test_killed_while_downloading_and_while_inferring(
    data_dir: Path,
    tmp_path: Path,
    slow_image_server: ImageServer,
    urls: Callable[[ImageServer, int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = tmp_path / "undisturbed"
    copy_of(data_dir, undisturbed)
    for folder in (data_dir, undisturbed):
        write_workbook(folder / "drops" / "june.xlsx", urls(slow_image_server, NEW_PHOTOS))
    lake = Lake(data_dir / "lake")

    def some(spec: TableSpec) -> Callable[[], bool]:
        return lambda: 0 < lake.count(spec) < NEW_PHOTOS

    kill_when(data_dir, some(URL_IMAGES))
    fetched = lake.count(URL_IMAGES)
    kill_when(data_dir, some(IMAGE_FEATURES))
    inferred = lake.count(IMAGE_FEATURES)
    again = meter(data_dir, "update")
    assert f"{NEW_PHOTOS - inferred} of" not in again.stdout or inferred
    hits = sum(slow_image_server.hits.values())
    assert hits <= NEW_PHOTOS + min(DOWNLOADS_IN_FLIGHT, NEW_PHOTOS - fetched)
    meter(undisturbed, "update")
    assert versions(data_dir) == versions(undisturbed)
    first, second = ((folder / "reports" / "batches" / "june.csv").read_bytes() for folder in (data_dir, undisturbed))
    assert first == second
    # The runs of the killed processes do not stay "in progress" and hold nothing up.
    with_history = environment(data_dir) | {"DAGSTER_HOME": str(data_dir / "dagster_home")}
    for name, value in with_history.items():
        monkeypatch.setenv(name, value)
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        statuses = [run.status.value for run in instance.get_runs()]
    assert statuses.count("FAILURE") == 2
    assert statuses.count("STARTED") == 0
