"""Spreadsheets and downloads at the size and with the faults of the field, on a loopback server of its own process.

    python benchmarks/ingest.py [--urls 3000] [--rows 100000] [--only sheet,large,download,kills,dead,two,clients]
                                [--baseline DIR] [--repeats 3]

Each part prints what was asked for beside the outcome. The photos are drawn noise of 720x1280, JPEG, 45 to 97 KB.
DIR is a checkout of the project to compare with: `sheet`, `large` and `download` then run there too, in turns with
this one, under the same interpreter, and print the ratio of the medians.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[1]
PARTS = ("sheet", "large", "download", "kills", "dead", "two", "clients")
LARGE_ROWS = 1_000_000
HERE, BASELINE = "here", "baseline"
MOST_SHEET_TIME, MOST_DOWNLOAD_TIME = 1.3, 1.05
"""Times that of the baseline, asked for."""
LATENCY_S = 0.05
FAULTY_EVERY = 100
KILLS = 3
DIFFERENT_PHOTOS = 50
"""Photos served; a server of thousands would measure the drawing of noise. The URLs are all different."""
FAULTS = ("/status/404", "/status/500", "/html", "/reset", "/short-body", "/429-then-photo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--urls", type=int, default=3000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--large-rows", type=int, default=LARGE_ROWS)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--baseline", type=Path, help="a checkout to compare with")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--worker", nargs=3, metavar=("WHAT", "DATA", "BASE"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if arguments.serve is not None:
        return serve(arguments.serve)
    if arguments.worker:
        return work(*arguments.worker, arguments.urls)
    folder = Path(tempfile.mkdtemp(prefix="ingest-"))
    try:
        for part in arguments.only.split(","):
            print(f"\n## {part}", flush=True)
            measures = (sheet, large, download, kills, dead, two, clients)
            dict(zip(PARTS, measures, strict=True))[part](folder / part, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


TAKE_IN = """
import json, resource, sys, time
from pathlib import Path
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS
layout = Layout(Path(sys.argv[1]))
start = time.monotonic()
drops = take_in_drops(layout)
seconds = time.monotonic() - start
if drops["status"].tolist() != ["read"]:
    sys.exit(f"not read: {drops['reason'].tolist()}")
rows = layout.lake.frame(DROP_ROWS, ["reason"])
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([seconds, len(rows), int(rows["reason"].notna().sum()), *peaks]))
"""
"""Takes in the one drop of a data directory; prints seconds, rows, refused rows, peak MB of itself and of a child."""


def sheet(folder: Path, arguments: argparse.Namespace) -> None:
    """Take in one file with rows of eight columns, as xlsx and as CSV."""
    header = ["Account", "Name", "Street", "Town", "Meter", "Reading", "Read on", "Photo"]
    _take_in(folder, header, arguments.rows, arguments)


def large(folder: Path, arguments: argparse.Namespace) -> None:
    """Take in one file with as many rows as a sheet can have, of five columns, as xlsx and as CSV."""
    _take_in(folder, ["Account", "Name", "Meter", "Reading", "Photo"], arguments.large_rows, arguments)


def _take_in(folder: Path, header: list[str], rows: int, arguments: argparse.Namespace) -> None:
    folder.mkdir(parents=True)
    print(
        f"{rows:,} rows by {len(header)} columns; the child is the process that a file is read in, where there is one"
    )
    print("| file | MB | where | s, median (all) | rows | refused | peak MB, parent | child |")
    print("|---|---|---|---|---|---|---|---|")
    times = {}
    for write in (_write_xlsx, _write_csv):
        path = write(folder, header, rows)
        figures: dict[str, list[list[float]]] = {}
        for place, root in _in_turns(arguments):
            figures.setdefault(place, []).append(_take_in_once(folder / "data", path, root))
        for place, runs in figures.items():
            seconds, found, refused, *peaks = ([run[column] for run in runs] for column in range(5))
            every = ", ".join(f"{value:.1f}" for value in seconds)
            told = f"{statistics.median(seconds):.1f} ({every}) | {found[0]:,.0f} | {refused[0]:,.0f}"
            size = path.stat().st_size / 1e6
            peak = f"{max(peaks[0]):.0f} | {max(peaks[1]):.0f}"
            print(f"| {path.suffix} | {size:.1f} | {place} | {told} | {peak} |", flush=True)
        times[path.suffix] = {place: [run[0] for run in runs] for place, runs in figures.items()}
        path.unlink()
    for suffix, seconds in times.items():
        _print_ratio(suffix, seconds, MOST_SHEET_TIME)


def _take_in_once(data: Path, file: Path, root: Path) -> list[float]:
    """In a process of its own, so that its peak memory is its own."""
    (data / "drops").mkdir(parents=True)
    os.link(file, data / "drops" / file.name)
    try:
        command = [sys.executable, "-c", TAKE_IN, str(data)]
        done = subprocess.run(command, env=_environment(root), cwd=root, stdout=subprocess.PIPE, check=True)
    finally:
        shutil.rmtree(data)
    return list(json.loads(done.stdout))


def _write_xlsx(folder: Path, header: list[str], rows: int) -> Path:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    tab = book.create_sheet("Photos")
    tab.append(header)
    for cells in _rows(header, rows):
        tab.append(cells)
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def _write_csv(folder: Path, header: list[str], rows: int) -> Path:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *_rows(header, rows)])
    return folder / "rows.csv"


def _rows(header: list[str], rows: int) -> Iterator[list[object]]:
    for n in range(rows):
        cells = {
            "Account": f"{n:010d}",
            "Name": f"Customer {n}",
            "Street": f"Street {n % 977}",
            "Town": "Town",
            "Meter": f"M{n:09d}",
            "Reading": n * 1.5,
            "Read on": "2026-05-01",
            "Photo": f"https://photos.example/2026/05/{n:08d}.jpg?size=full&batch=17",
        }
        yield [cells[name] for name in header]


def _in_turns(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield where to run, so that what else the machine does falls on both alike: here, there, there, here, ..."""
    places = [(HERE, PROJECT)]
    if arguments.baseline is not None:
        places.append((BASELINE, arguments.baseline.resolve()))
    for turn in range(arguments.repeats):
        yield from places if turn % 2 == 0 else reversed(places)


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), "METER_ALLOW_HOSTS": "127.0.0.1"}


def _print_ratio(what: str, seconds: dict[str, list[float]], asked: float) -> None:
    if BASELINE in seconds:
        ratio = statistics.median(seconds[HERE]) / statistics.median(seconds[BASELINE])
        print(f"{what}: {ratio:.2f} times the baseline (asked: {asked} at most)", flush=True)


def download(folder: Path, arguments: argparse.Namespace) -> None:
    """Fetch all URLs once, from a fresh data directory."""
    seconds: dict[str, list[float]] = {}
    with served() as base:
        for place, root in _in_turns(arguments):
            start = time.monotonic()
            finish(spawn("download", folder, base, arguments, root))
            seconds.setdefault(place, []).append(time.monotonic() - start)
            shutil.rmtree(folder)
    print(f"{arguments.urls} URLs, {LATENCY_S * 1000:.0f} ms latency, 1 % faults")
    for place, runs in seconds.items():
        every = ", ".join(f"{run:.1f}" for run in runs)
        print(
            f"{place}: {statistics.median(runs):.1f} s ({every}), {arguments.urls / statistics.median(runs):.0f} URLs/s"
        )
    _print_ratio("download", seconds, MOST_DOWNLOAD_TIME)


def urls_of(base: str, count: int) -> list[str]:
    """Every URL another one; one in a hundred faulty."""
    return [
        f"{base}{FAULTS[n // FAULTY_EVERY % len(FAULTS)]}?{n}" if n % FAULTY_EVERY == 7 else f"{base}/real/{n}.jpg"
        for n in range(count)
    ]


def kills(folder: Path, arguments: argparse.Namespace) -> None:
    """The same table from a run killed three times, and how long an undisturbed one takes."""
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.storage.tables import URL_IMAGES

    with served() as base:
        start = time.monotonic()
        finish(spawn("download", folder / "whole", base, arguments))
        undisturbed = time.monotonic() - start
        killed = Layout(folder / "killed")
        start = time.monotonic()
        for kill in range(1, KILLS + 1):
            process = spawn("download", killed.root, base, arguments)
            while process.poll() is None and killed.lake.count(URL_IMAGES) < kill * arguments.urls // (KILLS + 1):
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finish(spawn("download", killed.root, base, arguments))
        disturbed = time.monotonic() - start
    whole = Layout(folder / "whole")
    same = whole.lake.version(URL_IMAGES) == killed.lake.version(URL_IMAGES)
    outcomes = Counter(whole.lake.frame(URL_IMAGES, ["outcome"])["outcome"])
    print(
        f"{arguments.urls} URLs, {LATENCY_S * 1000:.0f} ms latency, 1 % faults: {sum(outcomes.values())} accounted for"
    )
    print(f"outcomes: {dict(sorted(outcomes.items()))}")
    print(f"undisturbed {undisturbed:.1f} s ({arguments.urls / undisturbed:.0f} URLs/s)")
    print(f"killed -9 {KILLS} times {disturbed:.1f} s ({disturbed / undisturbed:.2f} of it); the same table: {same}")


def dead(folder: Path, arguments: argparse.Namespace) -> None:
    """A host that refuses connections, and one that swallows them."""
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.storage.tables import URL_IMAGES

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        fillers = [_connected(full.getsockname()) for _ in range(3)]  # a full queue: connecting hangs
        for name, port in (("refuses", silent.getsockname()[1]), ("does not answer", full.getsockname()[1])):
            start = time.monotonic()
            data = folder / name.replace(" ", "-")
            finish(spawn("download", data, f"http://127.0.0.1:{port}", arguments))
            outcomes = Counter(Layout(data).lake.frame(URL_IMAGES, ["outcome"])["outcome"])
            print(f"a host that {name}: {time.monotonic() - start:.1f} s (asked: under 60 s), {dict(outcomes)}")
        for filler in fillers:
            filler.close()
        full.close()


def _connected(address: tuple[str, int]) -> socket.socket:
    filler = socket.socket()
    filler.setblocking(False)
    filler.connect_ex(address)
    return filler


def two(folder: Path, arguments: argparse.Namespace) -> None:
    """Two runs at once on two drops that share half of their URLs."""
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.storage.tables import URL_IMAGES

    layout = Layout(folder)
    layout.drops.mkdir(parents=True)
    count = arguments.urls // 5
    with served() as base:
        for name, first in (("a", 0), ("b", count // 2)):
            urls = [f"{base}/real/{n}.jpg" for n in range(first, first + count)]
            (layout.drops / f"{name}.csv").write_text("url\n" + "\n".join(urls), encoding="utf-8")
        for process in [spawn("batch", folder, base, arguments) for _ in range(2)]:
            finish(process)
        import urllib.request

        with urllib.request.urlopen(f"{base}/hits") as answer:
            asked = int(answer.read())
    outcomes = Counter(layout.lake.frame(URL_IMAGES, ["outcome"])["outcome"])
    print(f"two runs at once on 2 x {count} URLs, {count // 2} shared: {asked} requests, {dict(outcomes)}")


def clients(_folder: Path, arguments: argparse.Namespace) -> None:
    """The guarded `requests` client beside simpler ones: processor time and wall time per photo, 8 at a time."""
    import requests
    import urllib3

    from meter_pipeline.ingest.web.addresses import AddressRules
    from meter_pipeline.ingest.web.fetching import Fetcher, FetchLimits

    count = min(arguments.urls, 1000)
    with served() as base, Fetcher(FetchLimits(addresses=AddressRules.of(["127.0.0.1"], []))) as fetcher:
        session, pool = requests.Session(), urllib3.PoolManager(maxsize=8)
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=8))
        ways = {
            "ours: requests, guarded": lambda url: fetcher.fetch(url).content,
            "requests, bare": lambda url: session.get(url).content,
            "urllib3, bare": lambda url: pool.request("GET", url).data,
        }
        if (httpx_way := _httpx()) is not None:
            ways["httpx, bare"] = httpx_way
        print(f"| client ({count} photos, {LATENCY_S * 1000:.0f} ms latency) | wall s | processor ms |\n|---|---|---|")
        for name, get in ways.items():
            wall, cpu = time.monotonic(), time.process_time()
            with ThreadPoolExecutor(8) as threads:
                sizes = [len(body) for body in threads.map(get, [f"{base}/real/{n}.jpg" for n in range(count)])]
            assert min(sizes) > 10_000
            used = (time.process_time() - cpu) / count * 1000
            print(f"| {name} | {time.monotonic() - wall:.1f} | {used:.2f} |", flush=True)
    from meter_pipeline.photos.decoding import open_photo
    from meter_pipeline.photos.quality import measure

    content, cpu = photos()[0], time.process_time()
    for _ in range(20):
        measure(open_photo(content).image)
    print(f"| (decoding and measuring a photo) | | {(time.process_time() - cpu) / 20 * 1000:.2f} |")


def _httpx():  # type: ignore[no-untyped-def]
    try:
        import httpx
    except ImportError:
        return None
    client = httpx.Client()
    return lambda url: client.get(url).content


def spawn(
    what: str, data: Path, base: str, arguments: argparse.Namespace, root: Path = PROJECT
) -> subprocess.Popen[bytes]:
    script = str(root / "benchmarks" / Path(__file__).name)
    command = [sys.executable, script, "--urls", str(arguments.urls), "--worker", what, str(data), base]
    return subprocess.Popen(command, env=_environment(root), cwd=root)


def finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        raise SystemExit("A worker failed.")


def work(what: str, data: str, base: str, count: int) -> None:
    """In a process of its own: what `meter update` does for its first two assets."""
    from meter_pipeline.defs.resources import Pipeline
    from meter_pipeline.ingest.drop_rows import take_in_drops
    from meter_pipeline.ingest.url_images import DownloadLimits, download_drops, download_urls
    from meter_pipeline.settings import load_settings
    from meter_pipeline.storage.layout import Layout

    limits = DownloadLimits.from_settings(load_settings(data_dir=data))
    if what == "download":
        download_urls(urls_of(base, count), Layout(Path(data)), limits)
        return
    pipeline = Pipeline(overrides={"data_dir": data})
    with pipeline.working("batches") as layout:
        take_in_drops(layout)
    with pipeline.working("batches") as layout:
        download_drops(layout, limits)


@contextmanager
def served() -> Iterator[str]:
    """The fault server, with real-sized photos, in a process of its own: its processor time is not ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(port)], env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def photos() -> list[bytes]:
    """Smooth noise that packs to the size of the field's photos."""
    import io

    import numpy as np
    from PIL import Image

    drawn = []
    for seed in range(DIFFERENT_PHOTOS):
        coarse = np.random.default_rng(seed).integers(0, 255, (160, 90, 3), dtype=np.uint8)
        image, buffer = Image.fromarray(coarse).resize((720, 1280), Image.Resampling.BICUBIC), io.BytesIO()
        image.save(buffer, format="JPEG", quality=60 + seed % 20)
        drawn.append(buffer.getvalue())
    return drawn


def serve(port: int) -> None:
    from meter_pipeline_tests.support.fault_server import FaultServer, _Handler

    real = photos()
    count = Counter[str]()

    class Handler(_Handler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/hits":
                self.send(200, str(count["real"]).encode())
            elif path.startswith("/real/"):
                count["real"] += 1
                time.sleep(LATENCY_S)
                number = int(path.split("/")[2].removesuffix(".jpg"))
                # A comment block makes every photo another file.
                comment = f"{number:08d}".encode()
                photo = real[number % len(real)]
                self.send(200, photo[:2] + b"\xff\xfe\x00\x0a" + comment + photo[2:])
            else:
                super().do_GET()

    server = FaultServer(latency_s=LATENCY_S, port=port)
    server.RequestHandlerClass = Handler
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    server.serve_forever()


if __name__ == "__main__":
    main()
