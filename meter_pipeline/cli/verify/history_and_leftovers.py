"""Dagster's history, and what killed processes left half-written."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from meter_pipeline.defs.history_errors import CONFIG, DATABASES, WITHOUT_CONFIG, config_problem, damaged_databases
from meter_pipeline.defs.instance import home_of
from meter_pipeline.errors import MeterError
from meter_pipeline.storage.findings import Finding, Look, Mending
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.leftovers import Leftover, leftovers, remove
from meter_pipeline.storage.set_aside import set_aside

HISTORY, LEFTOVERS = "history", "left-overs"


def look_at_history(layout: Layout) -> Look:
    """Look at every page of the SQLite files that hold Dagster's history."""
    home = home_of(layout.root)
    if (wrong := config_problem(home)) is not None:
        yield Finding(HISTORY, f"Dagster's settings {wrong}.", home / CONFIG, WITHOUT_CONFIG)
    for path, problem in damaged_databases(home):
        what = f"Dagster's history is damaged: {problem}."
        if not path.exists():  # put aside with another one
            continue
        yield Finding(HISTORY, what, path, mending=_begun_anew(layout, home, path))
    return "Dagster's history"


def _begun_anew(layout: Layout, home: Path, path: Path) -> Mending:
    if path.relative_to(home).as_posix() not in DATABASES:
        does = "The log of this one run is put aside."
        return Mending(does, lambda: _aside(layout, home, [path]))
    does = "The history is put aside and a new one begun; what the data directory holds is noted in it."
    return Mending(does, lambda: _aside(layout, home, [home / "history", home / "schedules"]), then="meter update")


def _aside(layout: Layout, home: Path, paths: list[Path]) -> str:
    try:
        with FileLock(home / "dev.lock", timeout=0):
            places = [set_aside(layout, path) for path in paths if path.exists()]
    except Timeout as error:
        raise MeterError("`meter dev` is up on this data directory.", where=home, fix="Stop it first.") from error
    return f"It is {places[0].parent} now." if places else ""


def look_at_leftovers(layout: Layout) -> Look:
    """Look for files and folders that killed processes left an hour ago or longer."""
    for leftover in leftovers(layout):
        yield _left(leftover)
    return "no left-overs"


def _left(leftover: Leftover) -> Finding:
    def away() -> str:
        remove(leftover)
        return ""

    what = f"A write was ended in the middle; {leftover.bytes:,} bytes of it are left."
    return Finding(LEFTOVERS, what, leftover.path, mending=Mending("It is removed: nobody will finish it.", away))
