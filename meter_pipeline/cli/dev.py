"""Starts the Dagster UI, its daemon and the code server for a data directory; nothing is left running when it stops."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from meter_pipeline.cli.dagster_server.code_address import CodeAddress
from meter_pipeline.cli.server_process import Server, check_port, free_port, run_to_its_end, run_until_told
from meter_pipeline.defs.instance import prepare_home
from meter_pipeline.errors import MeterError
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.leftovers import sweep

_PACKAGE = "meter_pipeline.cli.dagster_server"


def serve(settings: Settings, *, host: str, port: int) -> int:
    """Run the servers until one of them ends or this process is told to stop, and return the exit code.

    Raises:
        MeterError: the port is taken, or another `meter dev` is up on this data directory.
    """
    home = prepare_home(settings.data_dir)
    layout = Layout(settings.data_dir)
    layout.prepare()
    lock = FileLock(home / "dev.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MeterError(
            "Another `meter dev` is up on this data directory.", where=home, fix="Use that one, or stop it first."
        ) from error
    with lock:
        check_port(host, port, command="meter dev")
        sweep(layout)
        environment = {
            "MALLOC_ARENA_MAX": "2",  # threads that wait keep less memory; glibc reads it
            **os.environ,
            "METER_DATA_DIR": str(settings.data_dir),
            "PYTHONUNBUFFERED": "1",
            "DAGSTER_IS_DEV_CLI": "1",  # as `dagster dev` says it: errors of the code are said in short
        }
        if code := run_to_its_end(Server("What prepares the history", f"{_PACKAGE}.preparing"), environment):
            return code
        with _code_address() as address:
            return run_until_told(_servers(address, host, port), environment)


def _servers(code: CodeAddress, host: str, port: int) -> list[Server]:
    """Return the three servers; the daemon and the web server load while they wait for the code."""
    web = ("--host", host, "--port", str(port), "--code", str(code))
    return [
        Server("The code server", f"{_PACKAGE}.code_server", (str(code),), is_restarted=True, before_start=code.clear),
        Server("The web server", f"{_PACKAGE}.web", web),
        Server("Dagster's daemon", f"{_PACKAGE}.daemon", (str(code),)),
    ]


@contextmanager
def _code_address() -> Iterator[CodeAddress]:
    """Give an address for the code server that this user alone can reach, where the system knows such addresses."""
    if sys.platform == "win32":
        yield CodeAddress(port=free_port())
        return
    with tempfile.TemporaryDirectory(prefix="meter-") as folder:  # the path of a socket has 100 characters at most
        yield CodeAddress(socket=str(Path(folder) / "code"))
