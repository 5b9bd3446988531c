"""What `meter dev` takes with nothing to do, and how soon a drop is seen, its run at work, and its export written.

    python benchmarks/dev.py [--data DATA] [--baseline DIR] [--idle 60] [--photos 50] [--repeats 3]

DATA: a data directory after `meter demo`, which is copied; made by `meter demo --small` if none is given. DIR: an older
checkout, whose `meter dev` runs in turns with this one's, by the same Python. With nothing to do: the share of a core,
and the memory that each process would free if it ended (PSS, where Linux tells it; else RSS, which counts what is
shared in each). A drop's time counts from when its file is there whole.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil
from trust import draw_photos, write_sheet

from meter_pipeline.cli.server_process import free_port
from meter_pipeline.demo.image_server import ImageServer

PROJECT = Path(__file__).resolve().parents[1]
GOALS = {
    "core, nothing to do (%)": 4.0,
    "memory, nothing to do (MB)": 650.0,
    "drop seen after (s)": 10.0,
    "queued to first step (s)": 3.0,
    "drop to export (s)": 20.0,
}
QUIET_S = 15.0
"""Time without a run after which nothing is left of a drop."""
FIRST_QUIET_S = 70.0
"""The same after the start: every minute it is looked for labelled photos."""
PATIENCE_S = 300.0
DropEvents = dict[str, float]


@dataclass
class Side:
    """A checkout, and what was measured of it, by figure."""

    name: str
    project: Path
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        """Keep a value of a figure."""
        self.figures.setdefault(figure, []).append(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sides = [Side("now", PROJECT)]
    if arguments.baseline:
        sides.insert(0, Side("before", arguments.baseline.resolve()))
    with tempfile.TemporaryDirectory(prefix="dev-") as temporary:
        folder = Path(temporary)
        data = arguments.data or _demo(folder / "demo")
        served = folder / "served"
        drops = arguments.repeats * len(sides)
        draw_photos(sorted((data / "demo" / "served").rglob("*.jpg")), served, arguments.photos * drops)
        photos = iter(sorted(path.name for path in served.iterdir()))
        with ImageServer(served) as server:
            for side in sides:
                with _running(side, _copied(data, folder / side.name)) as dev:
                    dev.until_quiet(FIRST_QUIET_S)
                    measure_idle(side, dev, arguments.idle)
                    for number in range(arguments.repeats):
                        urls = [f"{server.base_url}/{next(photos)}" for _ in range(arguments.photos)]
                        measure_drop(side, dev, f"drop_{number}", urls)
    print_table(sides)


@dataclass
class Dev:
    """A running `meter dev`."""

    data: Path
    port: int
    process: subprocess.Popen[bytes]

    def unfinished(self) -> int:
        """Return the number of runs that have not ended; raises an `OSError` while nobody answers."""
        query = (
            "{runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]})"
            " {... on Runs {results {runId}}}}"
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return len(json.load(response)["data"]["runsOrError"]["results"])

    def until_quiet(self, seconds: float = QUIET_S) -> None:
        """Wait until nothing has run for so many seconds."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < seconds:
            if self.process.poll() is not None:
                raise SystemExit("meter dev ended.")
            with suppress(OSError):
                if not self.unfinished():
                    time.sleep(1)
                    continue
            quiet_since = time.monotonic()
            time.sleep(1)


def measure_idle(side: Side, dev: Dev, seconds: float) -> None:
    """Print what each process takes, and note the sums."""
    top = psutil.Process(dev.process.pid)
    before, began = {each: _processor_s(each) for each in (top, *top.children(recursive=True))}, time.monotonic()
    time.sleep(seconds)
    took, shares, memory = time.monotonic() - began, [], []
    for process, used in before.items():
        with suppress(psutil.Error):  # one that ended meanwhile
            shares.append(100 * (_processor_s(process) - used) / took)
            memory.append(_memory_mb(process))
            print(f"{side.name}: {shares[-1]:5.2f} % of a core, {memory[-1]:4.0f} MB: {_what(process)}", flush=True)
    side.note("core, nothing to do (%)", sum(shares))
    side.note("memory, nothing to do (MB)", sum(memory))
    side.note("processes", len(memory))


def measure_drop(side: Side, dev: Dev, name: str, urls: list[str]) -> None:
    """Drop a sheet, wait for its export, and note when what happened."""
    export = dev.data / "reports" / "batches" / f"{name}.xlsx"
    write_sheet(dev.data / "drops" / f"{name}.csv", urls)
    dropped, deadline = time.time(), time.monotonic() + PATIENCE_S
    while not export.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"No export of {name} after {PATIENCE_S:.0f} s.")
        time.sleep(0.05)
    side.note("drop to export (s)", time.time() - dropped)
    dev.until_quiet()
    times = _times(dev.data, dropped)
    side.note("drop seen after (s)", times["seen"] - dropped)
    side.note("queued to first step (s)", times["first step"] - times["queued"])
    print(f"{side.name}: {name}: {', '.join(f'{what} {at - dropped:.1f} s' for what, at in times.items())}", flush=True)


def _times(data: Path, dropped: float) -> DropEvents:
    """Return when what happened to the drop, from Dagster's history, in order."""
    os.environ["DAGSTER_HOME"] = str(data / "dagster_home")
    with dg.DagsterInstance.get() as instance:
        seen = instance.fetch_observations(dg.AssetKey("excel_drops"), limit=1).records[0].timestamp
        runs = [run for run in instance.get_run_records() if run.create_timestamp.timestamp() >= dropped]
        run = next(r for r in reversed(runs) if dg.AssetKey("drop_rows") in (r.dagster_run.asset_selection or ()))
        times: DropEvents = {"seen": seen}
        for event in instance.all_logs(run.dagster_run.run_id):
            if event.dagster_event is not None:
                kind = event.dagster_event.event_type_value
                named = {
                    "PIPELINE_ENQUEUED": "queued",
                    "PIPELINE_STARTING": "launched",
                    "PIPELINE_START": "started",
                    "STEP_START": "first step",
                }.get(kind)
                if kind == "STEP_SUCCESS":
                    named = str(event.dagster_event.step_key)
                if named:
                    times.setdefault(named, event.timestamp)
    return times


def print_table(sides: list[Side]) -> None:
    """Print the medians of all figures, with the spread and the goal."""
    print(f"\n| figure | goal |{''.join(f' {side.name} |' for side in sides)}")
    print(f"|---|---|{'---|' * len(sides)}")
    for figure in sides[-1].figures:
        cells = []
        for side in sides:
            values = side.figures[figure]
            spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
            cells.append(f" {statistics.median(values):.1f}{spread} |")
        print(f"| {figure} | {GOALS.get(figure, '')} |{''.join(cells)}")


@contextmanager
def _running(side: Side, data: Path) -> Iterator[Dev]:
    """Start `meter dev` of a checkout, and end it as Ctrl-C does."""
    port = free_port()
    own = {name: text for name, text in os.environ.items() if not name.startswith(("METER_", "DAGSTER_"))}
    own |= {"METER_DATA_DIR": str(data), "METER_ALLOW_HOSTS": "127.0.0.1", "PYTHONPATH": str(side.project)}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "meter_pipeline.cli", "dev", "--port", str(port)],
        env=own,
        cwd=side.project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Dev(data, port, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _demo(data: Path) -> Path:
    environment = {**os.environ, "METER_DATA_DIR": str(data)}
    subprocess.run(
        [sys.executable, "-m", "meter_pipeline.cli", "demo", "--small"], env=environment, cwd=PROJECT, check=True
    )
    return data


def _copied(data: Path, copy: Path) -> Path:
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("dagster_home", "demo"))
    (copy / "drops").mkdir(exist_ok=True)
    return copy


def _processor_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _memory_mb(process: psutil.Process) -> float:
    told = process.memory_full_info()
    return float(getattr(told, "pss", 0) or told.rss) / 1e6


def _what(process: psutil.Process) -> str:
    """Return what a process is, from its command line."""
    words = [word for word in process.cmdline()[1:] if not word.startswith("-")]
    named = [word for word in words if "meter_pipeline." in word or word in ("grpc", "code-server", "spawn_main")]
    return " ".join(named or words)[-70:]


if __name__ == "__main__":
    main()
