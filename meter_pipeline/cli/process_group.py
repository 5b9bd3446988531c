"""Ends a process together with everything that it started, also where what started it is gone already."""

from __future__ import annotations

import contextlib
import os
import sys

import psutil

PATIENCE_S = 5.0
"""Time that processes get to end after a polite signal, before they are ended by force."""


def own_group() -> dict[str, object]:
    """Return the arguments of `Popen` that put a process and its descendants into a group of their own.

    A terminal then sends Ctrl-C to whoever started it alone, which ends it in order.
    """
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def end_group(leader: int, *, but: int | None = None, patience_s: float = PATIENCE_S) -> None:
    """End the processes of a group, politely first.

    Args:
        leader: id of the process that was started with `own_group`; it may be gone.
        but: the process that is left alone: whoever calls from inside the group.
        patience_s: seconds between the polite signal and the other one.
    """
    members = [each for each in _members(leader) if each.pid != but and not _ends_by_itself(each)]
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    psutil.wait_procs(members, timeout=patience_s)
    for member in _members(leader):  # looked up again: a member may have started another one meanwhile
        if member.pid != but and not (but and _ends_by_itself(member)):
            with contextlib.suppress(psutil.Error):
                member.kill()


def _ends_by_itself(process: psutil.Process) -> bool:
    """Return whether it is the process that Python has beside those of `multiprocessing`.

    It ends with the last of them, and not when it is asked to, so it is not waited for. Who ends the others of its own
    group needs it still, to let go of semaphores.
    """
    try:
        return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
    except psutil.Error:
        return False


def _members(leader: int) -> list[psutil.Process]:
    """Return the living processes of a group; on Windows, which has no such groups, the leader's descendants."""
    if sys.platform == "win32":
        return _descendants(leader)
    return [process for process in psutil.process_iter() if _group(process) == leader and _lives(process)]


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except OSError:
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _descendants(leader: int) -> list[psutil.Process]:
    """Return the leader and what descends from it; Windows keeps the id of a parent that is gone."""
    parents = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            parents[process.pid] = (process.ppid(), process)
    found = {leader}
    while new := {pid for pid, (parent, _) in parents.items() if parent in found and pid not in found}:
        found |= new
    return [process for pid, (_, process) in parents.items() if pid in found]
