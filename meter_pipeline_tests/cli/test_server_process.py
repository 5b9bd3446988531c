"""Servers that were started together end together, with all that they started, however that comes about."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from meter_pipeline.cli.server_process import MOST_RESTARTS, Server, run_until_told

pytestmark = pytest.mark.slow

STEADY = """
import os, subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with Path(sys.argv[1]).open("a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
time.sleep(600)
"""
DYING = "import sys, time; time.sleep(1); sys.exit(3)"
SLOW_TO_END = """
import sys, time
from pathlib import Path
file, name, takes_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
try:
    time.sleep(600)
except KeyboardInterrupt:
    time.sleep(takes_s)
    with file.open("a") as ended:
        print(name, file=ended)
"""
STARTER = """
import os, sys
from meter_pipeline.cli.server_process import Server, run_until_told
servers = [Server(name, "steady", (sys.argv[1],), is_restarted=name == "two") for name in ("one", "two")]
sys.exit(run_until_told(servers, dict(os.environ)))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which these modules can be run; what is told by signals is restored afterwards."""
    (tmp_path / "steady.py").write_text(STEADY)
    (tmp_path / "dying.py").write_text(DYING)
    (tmp_path / "slow_to_end.py").write_text(SLOW_TO_END)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield {**os.environ, "PYTHONPATH": str(tmp_path)}
    for number, handler in kept.items():
        signal.signal(number, handler)


def processes(file: Path) -> list[int]:
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_that_dies_takes_the_others_along_and_is_named(
    tmp_path: Path, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "pids"
    with caplog.at_level(logging.WARNING):
        code = run_until_told(
            [Server("The steady one", "steady", (str(file),)), Server("The ill one", "dying")], environment
        )
    assert code == 3
    assert "The ill one ended by itself (exit code 3); the others end too." in caplog.text
    assert not any(map(psutil.pid_exists, processes(file)))


def test_the_last_started_ends_first_as_it_may_be_asking_the_others(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    file = tmp_path / "ended"
    slow = [Server(name, "slow_to_end", (str(file), name, takes_s)) for name, takes_s in (("1", "0"), ("2", "1.5"))]
    run_until_told([*slow, Server("The ill one", "dying")], environment)
    assert file.read_text().split() == ["2", "1"]


def test_one_that_is_restarted_is_so_a_few_times(
    tmp_path: Path, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    starts: list[int] = []
    server = Server("The code server", "dying", is_restarted=True, before_start=lambda: starts.append(1))
    with caplog.at_level(logging.WARNING):
        assert run_until_told([server], environment) == 3
    assert len(starts) == 1 + MOST_RESTARTS
    assert "it is started again" in caplog.text
    assert "again and again" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("told", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_nothing_is_left_when_the_starter_is_told_to_stop_or_killed(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    file = tmp_path / "pids"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(file)], env=environment)
    until(lambda: len(processes(file)) == 4)
    starter.send_signal(getattr(signal, told))
    starter.wait(60)
    until(lambda: not any(map(psutil.pid_exists, processes(file))))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_what_a_killed_server_had_started_is_ended_too(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "pids"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.replace('name == "two"', "False"), str(file)], env=environment
    )
    until(lambda: len(processes(file)) == 4)
    os.kill(processes(file)[0], signal.SIGKILL)
    assert starter.wait(60) == 1
    until(lambda: not any(map(psutil.pid_exists, processes(file))))
