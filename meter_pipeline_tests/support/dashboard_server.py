"""A running `meter dashboard`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meter_pipeline_tests.support.commands import METER, environment, free_port, wait_until_up


@contextmanager
def running_dashboard(data_dir: Path, **more: str) -> Iterator[str]:
    """Run `meter dashboard` and give its address; nothing of it is left afterwards."""
    port = free_port()
    process = subprocess.Popen(
        [*METER, "dashboard", "--port", str(port)],
        env=environment(data_dir) | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_up(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0
