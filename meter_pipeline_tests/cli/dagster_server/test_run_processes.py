"""The process that waits for the next run: it is there before it is asked, serves one order, and is never left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from meter_pipeline.cli.dagster_server import run_processes
from meter_pipeline.cli.dagster_server.run_processes import RunProcesses

pytestmark = pytest.mark.slow
HOLDER = """
import sys, time
from meter_pipeline.cli.dagster_server.run_processes import RunProcesses
if __name__ == "__main__":
    processes = RunProcesses(load=print)
    processes.prepare()
    print(processes._waiting.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _the_next_is_made_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_processes, "NEXT_AFTER_S", 0.1)


@pytest.fixture
def processes() -> Iterator[RunProcesses]:
    made = RunProcesses(load=int)
    yield made
    waiting = made._waiting
    made.close()
    if waiting:
        waiting.process.join(60)
        assert waiting.process.exitcode == 0


def write(order: str, told: Any, ended: Any) -> None:
    """An order: say who carried it out, and wait to be ended."""
    told.put((order, os.getpid()))
    ended.wait(60)


def start(processes: RunProcesses, order: str) -> tuple[Any, Any, Any]:
    """As the code server of Dagster does it."""
    told, ended = processes.Queue(), processes.Event()
    process = processes.Process(target=write, args=[order, told, ended])
    process.start()
    return process, told, ended


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_gets_the_process_that_waits_and_the_next_one_is_made(processes: RunProcesses) -> None:
    processes.prepare()
    assert processes._waiting is not None
    waiting = processes._waiting.process.pid
    process, told, ended = start(processes, "one")
    assert told.get(timeout=120) == ("one", waiting)
    assert (process.pid, process.is_alive(), process.exitcode) == (waiting, True, None)
    until(lambda: processes._waiting is not None)
    ended.set()
    until(lambda: not process.is_alive())
    assert process.exitcode == 0


def test_without_one_that_waits_or_if_that_was_killed_a_run_gets_its_own(processes: RunProcesses) -> None:
    _, told, ended = start(processes, "one")
    assert told.get(timeout=120)[0] == "one"
    ended.set()
    until(lambda: processes._waiting is not None)
    killed = processes._waiting
    assert killed is not None
    killed.process.kill()
    killed.process.join()
    _, told, ended = start(processes, "two")
    order, pid = told.get(timeout=120)
    assert order == "two"
    assert pid != killed.process.pid
    ended.set()


def test_one_that_dies_between_being_asked_for_and_its_order_is_replaced(processes: RunProcesses) -> None:
    told, ended = processes.Queue(), processes.Event()
    process = processes.Process(target=write, args=["one", told, ended])
    os.kill(process.pid or 0, signal.SIGTERM)
    until(lambda: not process.is_alive())
    process.start()
    assert told.get(timeout=120)[0] == "one"
    ended.set()
    until(lambda: not process.is_alive())


def test_it_is_made_anew_when_the_code_is_loaded_again(processes: RunProcesses) -> None:
    processes.prepare()
    before = processes._waiting
    assert before is not None
    processes.renew()
    assert processes._waiting is not None
    assert processes._waiting is not before
    before.process.join(120)
    assert before.process.exitcode == 0


def test_none_is_made_after_the_end(processes: RunProcesses) -> None:
    processes.close()
    processes.prepare()
    assert processes._waiting is None


def test_it_ends_when_who_made_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "holder.py").write_text(HOLDER, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(tmp_path / "holder.py")], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        waiting = int(holder.stdout.readline())
        assert psutil.pid_exists(waiting)
        holder.kill()
    until(lambda: not psutil.pid_exists(waiting) or psutil.Process(waiting).status() == psutil.STATUS_ZOMBIE)


def test_what_it_loads_exists_and_is_not_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    loads = "from meter_pipeline.cli.dagster_server.run_processes import load_what_runs_need as load; load()"
    code = f"{loads}; import sys; print([name for name in ('torch', 'timm', 'sklearn') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"


def test_dagster_asks_for_what_it_stands_in_for() -> None:
    """Dagster's code server takes three parts of `multiprocessing`, in this order, in one thread."""
    import inspect

    from dagster._grpc.server import DagsterApiServer

    text = inspect.getsource(DagsterApiServer.StartRun)
    places = [text.index(f"self._mp_ctx.{part}(") for part in ("Queue", "Event", "Process")]
    assert places == sorted(places)
    assert dg.__version__.startswith("1.13."), "look at StartRun, and at this test, when Dagster is raised"
