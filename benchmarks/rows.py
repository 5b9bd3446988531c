"""What an update costs where there are many rows: with nothing new, with a few new ones, with another threshold.

    python benchmarks/rows.py [--rows 100000] [--photos 2000] [--drops 10] [--baseline DIR] [--keep FOLDER]

Nothing is fetched and no photo goes through the network: drops, stored photos, `url_images` and `image_features` are
generated (`rows_data.py`), so that what is measured is the work on tables and files. Each line is a process of its own,
its start included, and stands beside what it is compared with in the same run. DIR is a checkout of the project to
compare with, run on copies of the same data. `--rows 2000` is a quick look.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.storage.layout import Layout

PROJECT = Path(__file__).resolve().parents[1]
NEW_ROWS, FEW_ROWS = 100, 1_000
OTHER_THRESHOLDS = ("0.6", "0.7")
ADDED = 900
"""Number of the drop that is added, and of its first photo, in thousands."""
NOTE = "last_update.json"

THRESHOLD = """
import json, resource, sys, time
from pathlib import Path
from meter_pipeline.batches.batch_predictions import name_rows
from meter_pipeline.batches.prediction_exports import export_drops
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import DecisionSettings, load_settings
from meter_pipeline.storage.layout import Layout

layout = Layout(Path(sys.argv[1]))
settings = load_settings(data_dir=layout.root, unknown_threshold=float(sys.argv[2]))
load_model(layout)
took = {}
for name, step in (("name", lambda: name_rows(layout, DecisionSettings.from_settings(settings))),
                   ("export", lambda: export_drops(layout))):
    wall, processor = time.perf_counter(), time.process_time()
    step()
    took[name] = [time.perf_counter() - wall, time.process_time() - processor]
print(json.dumps(took))
"""


@dataclass(frozen=True)
class Took:
    """What a process took.

    Attributes:
        wall: seconds.
        processor: seconds of it and of the processes that it started and waited for.
        peak: largest resident memory of it, in MB.
        said: what it printed last.
    """

    wall: float
    processor: float
    peak: float
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=2_000)
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--baseline", type=Path, help="a checkout to compare with")
    parser.add_argument("--keep", type=Path, help="make the data here, or use what an earlier run made here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = (arguments.keep or folder / "made").resolve()
        photos = min(arguments.photos, arguments.rows)
        if not (made / "lake").is_dir():
            data(made, "--rows", arguments.rows, "--photos", photos, "--drops", arguments.drops)
        print("| work | wall s | processor s | peak MB | beside it |\n|---|---|---|---|---|")
        for checkout in filter(None, [PROJECT, arguments.baseline]):
            measure(made, folder / checkout.resolve().name, checkout.resolve(), arguments.rows)


def measure(made: Path, folder: Path, checkout: Path, rows: int) -> None:
    """Print what one checkout takes on copies of the data."""
    where = "" if checkout == PROJECT else f" ({checkout})"
    large, small = Layout(shutil.copytree(made, folder / "large")), Layout(folder / "small")
    for name in ("models", "raw"):
        shutil.copytree(made / name, small.root / name)
    first = update(large, checkout)
    show(f"first update of {rows:,} rows{where}", first, f"{1000 * first.processor / rows:.2f} ms a row")
    (large.cache / NOTE).unlink(missing_ok=True)
    full = update(large, checkout)
    again = update(large, checkout)
    show(f"update, nothing new, {rows:,} rows{where}", again, beside(again, full, "the same in full"))
    for layout in (small, large):
        add_drop(layout, NEW_ROWS)
    alone, among = update(small, checkout), update(large, checkout)
    show(f"{NEW_ROWS} new rows alone{where}", alone, "")
    show(f"{NEW_ROWS} new rows among {rows:,}{where}", among, beside(among, alone, "alone"))
    add_drop(small, FEW_ROWS, number=ADDED + 1)
    update(small, checkout)
    few, many = (threshold(layout, OTHER_THRESHOLDS[0], checkout) for layout in (small, large))
    show(f"another threshold, {small_rows():,} rows{where}", few, parts(few))
    show(
        f"another threshold, {rows + NEW_ROWS:,} rows{where}", many, f"{parts(many)}; peak {many.peak / few.peak:.2f} x"
    )


def small_rows() -> int:
    return NEW_ROWS + FEW_ROWS


def add_drop(layout: Layout, rows: int, *, number: int = ADDED) -> None:
    """Add a drop whose photos are new, and what fetching them would have written."""
    data(layout.root, "--rows", rows, "--add", number)


def data(folder: Path, *arguments: object) -> None:
    """Make data in a process of its own: a process starts with the peak of the one that started it."""
    command = [sys.executable, str(Path(__file__).with_name("rows_data.py")), str(folder), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def update(layout: Layout, checkout: Path) -> Took:
    return run(["-m", "meter_pipeline.cli", "update"], checkout, layout)


def threshold(layout: Layout, value: str, checkout: Path) -> Took:
    return run(["-c", THRESHOLD, str(layout.root), value], checkout, layout)


def run(arguments: list[str], checkout: Path, layout: Layout) -> Took:
    """Run a Python process of a checkout to its end."""
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "METER_DATA_DIR": str(layout.root),
        "METER_CLUSTER_PRINT": "off",
    }
    environment.pop("DAGSTER_HOME", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read().strip()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[:2]} of {checkout} ended with {process.returncode}: {said}")
    wall = time.perf_counter() - started
    return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said.rpartition("\n")[2])


def beside(took: Took, other: Took, what: str) -> str:
    difference = f"{took.processor - other.processor:+.1f} s"
    return f"{what}: {other.wall:.1f} s, processor {other.processor:.1f} s; {difference}, {other.peak:.0f} MB"


def parts(took: Took) -> str:
    return ", ".join(
        f"{name} {wall:.1f} s (processor {processor:.1f} s)"
        for name, (wall, processor) in json.loads(took.said).items()
    )


def show(work: str, took: Took, remark: str) -> None:
    print(f"| {work} | {took.wall:.1f} | {took.processor:.1f} | {took.peak:.0f} | {remark} |", flush=True)


if __name__ == "__main__":
    main()
