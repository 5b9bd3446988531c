"""Prepares the Dagster instance: its folder, its pool limits, no runs of dead processes, and what the folder holds.

Dagster is loaded where it is used: `meter dev` itself only needs the folder.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from meter_pipeline.defs.history_folder import default_home, home_of
from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.settings import PROJECT_DIR
from meter_pipeline.storage.files import write_text
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.private_folders import make_private

if TYPE_CHECKING:
    import dagster as dg

_logger = logging.getLogger(__name__)

POOLS = {"batches": 1, "map": 1, "training": 1}
"""Number of runs at a time in each pool: two runs never work on the same tables."""
PROCESS_TAG = "meter/process"
"""`<pid>:<start time>` of a process that runs a job itself (`meter update`, `meter train`)."""
CONFIG_TEMPLATE = PROJECT_DIR / "dagster_home" / "dagster.yaml"
OWNER_FILE = "data_dir.txt"
FOLDERS = ("history", "schedules", "storage")
"""What Dagster makes in its home."""


def prepare_home(data_dir: Path) -> Path:
    """Make DAGSTER_HOME ready for a data directory and set the environment variable.

    A history in the place that it has by default belongs to its data directory, also where both were moved together.

    Raises:
        MeterError: the folder's history belongs to another data directory.
    """
    home = home_of(data_dir)
    with storage_errors(home):
        for folder in (home, *(home / name for name in FOLDERS)):
            make_private(folder)  # before Dagster does, which leaves its own open to everybody
        if not (home / "dagster.yaml").exists():
            shutil.copyfile(CONFIG_TEMPLATE, home / "dagster.yaml")
    owner_file = home / OWNER_FILE
    owner = owner_file.read_text(encoding="utf-8", errors="replace").strip() if owner_file.exists() else None
    if owner is not None and Path(owner) != data_dir and home != default_home(data_dir).resolve():
        raise MeterError(
            f"The Dagster history in this folder belongs to the data directory {owner}, not to {data_dir}.",
            where=home,
            fix="Unset DAGSTER_HOME (each data directory then has its own history) or point it to another folder.",
        )
    if owner != str(data_dir):
        write_text(owner_file, f"{data_dir}\n")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def ready_instance(data_dir: Path) -> Iterator[dg.DagsterInstance]:
    """Open the data directory's instance, its pool limits set and its abandoned runs marked as failed.

    Its history says what the data folder holds, and afterwards the folder from what that was made.
    """
    import dagster as dg

    from meter_pipeline.defs.folder_and_history import note_what_is_there, remember
    from meter_pipeline.defs.history_access import keep_access

    prepare_home(data_dir)
    layout = Layout(data_dir)
    keep_access()
    with dg.DagsterInstance.get() as instance:
        set_pool_limits(instance)
        fail_abandoned_runs(instance)
        note_what_is_there(instance, layout)
        yield instance
        remember(instance, layout)


def set_pool_limits(instance: dg.DagsterInstance) -> None:
    """Set the limit of every pool; Dagster takes a pool without a limit as unlimited."""
    for pool, limit in POOLS.items():
        instance.event_log_storage.set_concurrency_slots(pool, limit)


def process_tag() -> dict[str, str]:
    """Return the tag that ties a run to this process."""
    process = psutil.Process()
    return {PROCESS_TAG: f"{process.pid}:{process.create_time():.0f}"}


def fail_abandoned_runs(instance: dg.DagsterInstance, *, launched_too: bool = False) -> list[str]:
    """Mark runs as failed whose process is gone, so that they block nothing, and return their ids.

    Args:
        instance: the instance.
        launched_too: also those that a `meter dev` launched; only while no `meter dev` is up, which otherwise monitors
            its own runs.
    """
    from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter

    failed = []
    for run in instance.get_runs(RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES))):
        tag = run.tags.get(PROCESS_TAG)
        if (not _is_alive(tag)) if tag else launched_too:
            instance.report_run_failed(run, "The process that ran this is gone (killed, or the machine restarted).")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            failed.append(run.run_id)
    if failed:
        _logger.warning("%d run(s) whose process is gone were marked as failed: %s", len(failed), ", ".join(failed))
    return failed


def _is_alive(tag: str) -> bool:
    pid, started = tag.split(":")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 2
    except psutil.NoSuchProcess:
        return False
