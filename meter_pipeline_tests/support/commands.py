"""The command `meter` run as people run it, in a process of its own, and the workbooks they drop."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from openpyxl import Workbook

NEW_PHOTOS = 80
"""Photos that the end-to-end tests serve."""
METER = [sys.executable, "-m", "meter_pipeline.cli"]


def environment(data_dir: Path) -> dict[str, str]:
    """Return the environment of a command on a data directory; no setting of the caller's gets in.

    Plates are not read for clusters, which takes a second per photo.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("METER_", "DAGSTER_"))}
    settings = {"METER_DATA_DIR": str(data_dir), "METER_CLUSTER_PRINT": "off"}
    return {**own, **settings, "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}


def copy_of(data_dir: Path, copy: Path) -> Path:
    """Copy a data directory, with a history that says whose it is."""
    shutil.copytree(data_dir, copy)
    (copy / "dagster_home" / "data_dir.txt").write_text(f"{copy}\n", encoding="utf-8")
    return copy


def meter(data_dir: Path, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    done = subprocess.run(
        [*METER, *arguments], env=environment(data_dir), capture_output=True, text=True, timeout=400, check=False
    )
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done


def write_workbook(path: Path, urls: Sequence[str]) -> None:
    """Write a workbook of URLs, whole or not at all."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Account", "Photo"])
    for number, url in enumerate(urls):
        sheet.append([f"{number:06d}", url])
    book.save(path.with_name(f".{path.name}"))
    path.with_name(f".{path.name}").rename(path)


def wait_until_up(process: subprocess.Popen[str], port: int, *, patience_s: float = 120) -> None:
    """Wait until a dashboard answers on this machine."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
