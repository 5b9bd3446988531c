"""Starts the Dagster UI and its daemon for a data directory; nothing is left running when it stops."""

from __future__ import annotations

import os
import sys

import dagster as dg
from filelock import FileLock, Timeout

from meter_pipeline.cli.server_process import check_port, run_until_told
from meter_pipeline.defs.instance import fail_abandoned_runs, prepare_home, set_pool_limits
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import PROJECT_DIR, Settings
from meter_pipeline.storage.layout import Layout

EXPECTED_WARNING = "ignore:Function `dev_command` is superseded"
"""In the form of `PYTHONWARNINGS`: Dagster prefers the command `dg`, which needs a package and a layout of its own."""


def serve(settings: Settings, *, host: str, port: int) -> int:
    """Run `dagster dev` until it ends or this process is told to stop, and return its exit code.

    Raises:
        MeterError: the port is taken, or another `meter dev` is up on this data directory.
    """
    home = prepare_home(settings.data_dir)
    Layout(settings.data_dir).prepare()
    lock = FileLock(home / "dev.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MeterError(
            "Another `meter dev` is up on this data directory.", where=home, fix="Use that one, or stop it first."
        ) from error
    with lock:
        check_port(host, port, command="meter dev")
        with dg.DagsterInstance.get() as instance:
            set_pool_limits(instance)
            fail_abandoned_runs(instance, launched_too=True)
        return run_until_told(
            [
                sys.executable,
                "-m",
                "dagster",
                "dev",
                f"--workspace={PROJECT_DIR / 'workspace.yaml'}",
                f"--host={host}",
                f"--port={port}",
                "--log-level=warning",
            ],
            {
                **os.environ,
                "METER_DATA_DIR": str(settings.data_dir),
                "PYTHONUNBUFFERED": "1",
                "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), EXPECTED_WARNING])),
            },
        )
