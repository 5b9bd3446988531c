"""Ending a group waits for those that can be asked to end, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import psutil
import pytest

from meter_pipeline.cli import process_group
from meter_pipeline.cli.process_group import end_group, own_group

WITH_A_TRACKER = """
import multiprocessing, time
if __name__ == "__main__":
    event = multiprocessing.get_context("spawn").Event()
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such process")
def test_what_multiprocessing_has_beside_its_processes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited_for: list[list[psutil.Process]] = []
    wait_procs = psutil.wait_procs

    def noted(processes: Sequence[psutil.Process], **options: float) -> object:
        waited_for.append(list(processes))
        return wait_procs(processes, **options)

    monkeypatch.setattr(process_group.psutil, "wait_procs", noted)
    leader = subprocess.Popen(
        [sys.executable, "-c", WITH_A_TRACKER],
        stdout=subprocess.PIPE,
        text=True,
        **own_group(),  # type: ignore[call-overload]
    )
    with leader:
        assert leader.stdout.readline() == "ready\n"
        (tracker,) = psutil.Process(leader.pid).children()
        end_group(leader.pid)
        assert [[each.pid for each in some] for some in waited_for] == [[leader.pid]]
        tracker.wait(60)


FROM_INSIDE = """
import multiprocessing, os, psutil
from meter_pipeline.cli.process_group import end_group
if __name__ == "__main__":
    event = multiprocessing.get_context("spawn").Event()
    (tracker,) = psutil.Process().children()
    end_group(os.getpid(), but=os.getpid())
    print([each.pid == tracker.pid for each in psutil.wait_procs([tracker], timeout=1)[1]])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such process")
def test_who_ends_the_others_of_its_own_group_keeps_what_it_lets_go_of_semaphores_by() -> None:
    """One made anew knows none of them: at Ctrl-C in a run, a traceback for each was printed."""
    ended = subprocess.run(
        [sys.executable, "-c", FROM_INSIDE],
        capture_output=True,
        text=True,
        check=True,
        **own_group(),  # type: ignore[call-overload]
    )
    assert (ended.stdout, ended.stderr) == ("[True]\n", "")
