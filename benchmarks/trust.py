"""What the checks of damage and personal data cost: `meter update` with nothing new, and with a batch.

    python benchmarks/trust.py --baseline DIR --baseline-data DATA [--data DATA]
                               [--photos 1000] [--repeats 5] [--batches 1]

DIR: a checkout without them, with its `.venv`. Each DATA: a data directory after `meter demo` by that checkout, as
formats differ; both are copied. The two sides run in turns; seconds of the processor decide, as these machines have
other work. The batch's photos are those of the demo, each lightened a little, so that no two are the same.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageEnhance

from meter_pipeline.demo.image_server import ImageServer

PROJECT = Path(__file__).resolve().parents[1]
MOST = 1.05
"""Times the baseline, asked for."""


@dataclass
class Side:
    """A checkout, its data directory, and what each run took: seconds by the clock, and of the processor."""

    project: Path
    data: Path
    runs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def update(self, what: str | None) -> None:
        """Run `meter update`; `what` is the row of the table that it counts for, None: for none."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("METER_", "DAGSTER_"))}
        environment |= {"METER_DATA_DIR": str(self.data), "METER_ALLOW_HOSTS": "127.0.0.1"}
        before, began = _processor_s(), time.monotonic()
        command = [str(self.project / ".venv" / "bin" / "meter"), "update"]
        subprocess.run(command, env=environment, cwd=self.project, check=True, capture_output=True)
        if what is not None:
            self.runs.setdefault(what, []).append((time.monotonic() - began, _processor_s() - before))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--baseline-data", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=PROJECT / "data")
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trust-") as temporary:
        folder = Path(temporary)
        before = Side(arguments.baseline, _copied(arguments.baseline_data, folder / "before"))
        now = Side(PROJECT, _copied(arguments.data, folder / "now"))
        sides = (before, now)
        for _ in range(2):  # the first update after a copy tells the history what is there
            for side in sides:
                side.update(None)
        for _ in range(arguments.repeats):
            for side in sides:
                side.update("nothing new")
        print_row("nothing new", before, now)
        served = folder / "served"
        draw_photos(sorted((arguments.data / "demo" / "served").rglob("*.jpg")), served, arguments.photos)
        with ImageServer(served) as server:
            what = f"a batch of {arguments.photos}"
            for number in range(arguments.batches):
                for side in sides:
                    urls = [f"{server.base_url}/{path.name}?{number}" for path in sorted(served.iterdir())]
                    write_sheet(side.data / "drops" / f"batch_{number}.csv", urls)
                    side.update(what)
            print_row(what, before, now)


def draw_photos(originals: list[Path], folder: Path, count: int) -> None:
    """Write so many photos, no two of them the same; some of the demo's cannot be read, on purpose."""
    folder.mkdir()
    originals = [path for path in originals if _is_whole(path)]
    for number in range(count):
        with Image.open(originals[number % len(originals)]) as image:
            lighter = ImageEnhance.Brightness(image.convert("RGB")).enhance(1 + 0.02 * (number // len(originals)))
            lighter.save(folder / f"{number:05d}.jpg", quality=90)


def write_sheet(path: Path, urls: list[str]) -> None:
    """Write a drop, whole or not at all."""
    with path.with_name(f".{path.name}").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["url"], *([url] for url in urls)])
    path.with_name(f".{path.name}").rename(path)


def print_row(what: str, before: Side, now: Side) -> None:
    """Print the medians of both sides and their ratio."""
    for place, unit in ((0, "by the clock"), (1, "of the processor")):
        old, new = ([run[place] for run in side.runs[what]] for side in (before, now))
        before_s, now_s = statistics.median(old), statistics.median(new)
        spread = [f"{median:.1f} s ({min(of):.1f} to {max(of):.1f})" for median, of in ((before_s, old), (now_s, new))]
        print(
            f"{what}, {unit}: before {spread[0]}, now {spread[1]}, {now_s / before_s:.2f} times (asked: {MOST})",
            flush=True,
        )


def _is_whole(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True


def _copied(data: Path, copy: Path) -> Path:
    left_out = shutil.ignore_patterns("dagster_home", "drops", "raw", "processed", "demo")
    shutil.copytree(data, copy, ignore=left_out)
    for name in ("drops", "raw"):
        (copy / name).mkdir()
    return copy


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
