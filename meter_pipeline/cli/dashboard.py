"""Starts the dashboard: one server on a data directory, on this machine alone unless told otherwise."""

from __future__ import annotations

import os

from meter_pipeline.cli.server_process import Server, check_port, run_until_told
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout

SMALL_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""Freed memory goes back to the system soon (glibc; ignored elsewhere), as each of many threads keeps some."""


def serve_dashboard(settings: Settings, *, host: str, port: int) -> int:
    """Run the dashboard until it ends or this process is told to stop, and return its exit code.

    Raises:
        MeterError: the port is taken.
    """
    Layout(settings.data_dir).prepare()
    check_port(host, port, command="meter dashboard")
    return run_until_told(
        [Server("The dashboard", "meter_pipeline.dashboard", ("--host", host, "--port", str(port)))],
        {**os.environ, **SMALL_MEMORY, "METER_DATA_DIR": str(settings.data_dir), "PYTHONUNBUFFERED": "1"},
    )
