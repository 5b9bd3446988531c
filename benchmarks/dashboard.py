"""How long the dashboard takes, and how much memory, with 100,000 predictions of 20,000 photos.

    python benchmarks/dashboard.py [--model DATA_DIR] [--rows 100000] [--photos 20000] [--keep FOLDER]

Photos and tables are generated; `--model` copies the champion of another data directory, so that a photo can be asked
about. Times are taken from the browser's side, by the messages on the websocket: from the click's message to the one
that says that the page's script has ended (server work and the way there and back, no drawing), and, for the first
page, from opening the address to the last thumbnail on the screen. Beside them the processor's time that the server
took for it, which hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from PIL import Image
from playwright.sync_api import Page, WebSocket, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from meter_pipeline.demo.drawing.designs import known_designs
from meter_pipeline.demo.drawing.photo import Shot, draw_photo
from meter_pipeline.recognition.model_files import write_card
from meter_pipeline.storage.files import read_json, write_bytes
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    CLUSTER_SUMMARY,
    DATASET_SPLIT,
    DROP_ROWS,
    DROPS,
    IMAGE_FEATURES,
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_METADATA,
    URL_IMAGES,
    TableSpec,
)

CHROMIUM = os.environ.get("METER_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DRAWN, SIDE = 48, 480
DROP_SIZE = 20_000
LABELLED_SHARE, UNKNOWN_SHARE = 0.25, 0.3
CLUSTERS, DIMENSIONS = 120, 1280
PATIENCE_MS = 120_000
CARDS = 24
REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--model", type=Path, help="a data directory with a champion")
    parser.add_argument("--keep", type=Path, help="make the data here, or use what an earlier run made here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        layout = Layout((arguments.keep or Path(temporary)).resolve())
        if not layout.lake.exists(BATCH_PREDICTIONS):
            generate(layout, arguments.rows, arguments.photos, arguments.model)
        print("| what | seconds | slowest | processor seconds | RSS, MB | USS, MB |\n|---|---|---|---|---|---|")
        measure(layout, has_model=arguments.model is not None)


def generate(layout: Layout, rows: int, photos: int, model: Path | None) -> None:
    """Write photos, tables and a model card (or copy a model)."""
    random, lake = np.random.default_rng(0), layout.lake
    if model is not None:
        shutil.copytree(Layout(model).models, layout.models)
        version = read_json(layout.champion)["version"]
        classes = read_json(layout.models / version / "model.json")["classes"]
    else:
        version, classes = "0001-generated", [design.name for design in known_designs()]
        write_card(layout.models / version, {"version": version, "classes": classes})
    image_ids = write_photos(layout, photos)
    logits = random.normal(0, 2, (photos, len(classes)))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1)[:, :3]
    top = {f"top{k + 1}_class": np.array(classes, dtype=object)[order[:, k]] for k in range(3)} | {
        f"top{k + 1}_confidence": shares[np.arange(photos), order[:, k]] for k in range(3)
    }
    unknown = random.random(photos) < UNKNOWN_SHARE
    measures = {name: random.gamma(4, 25, photos) for name in ("brightness", "contrast", "sharpness")} | {
        name: random.random(photos) for name in ("glare", "green_ratio")
    }
    urls = [f"https://images.example/2024/{image_id[:16]}.jpg" for image_id in image_ids]
    photo = pd.DataFrame({"image_id": image_ids, "image_url": urls, **top, **measures})
    photo["final_prediction"] = np.where(unknown, "UNKNOWN", photo["top1_class"])
    photo["rule"] = np.where(unknown, "guard", "accepted")
    photo["reason"] = "generated"
    write(lake, URL_IMAGES, photo.assign(outcome="ok", width=SIDE, height=SIDE, format="JPEG").drop(columns="reason"))
    chosen = photo.iloc[np.arange(rows) % photos].reset_index(drop=True)
    chosen["drop"] = [f"drop_{number // DROP_SIZE:02d}" for number in range(rows)]
    chosen["position"] = np.arange(rows) % DROP_SIZE
    chosen = chosen.assign(sheet="Sheet1", row_number=chosen["position"] + 2, model_version=version)
    write(lake, BATCH_PREDICTIONS, chosen.assign(nearest_known=image_ids[0], guard_score=0.5))
    cells = [json.dumps({"Account": f"{number:09d}", "Remark": "read on site"}) for number in range(rows)]
    write(lake, DROP_ROWS, chosen.assign(other_columns=cells, cells_position=chosen["position"], reason=None))
    sizes = chosen["drop"].value_counts().sort_index()
    names = sizes.index.to_numpy()
    write(lake, DROPS, pd.DataFrame({"drop": names, "file_name": names, "status": "read", "rows": sizes.to_numpy()}))
    write_features(lake, image_ids, version, logits, random)
    write_labelled(layout, image_ids[: int(photos * LABELLED_SHARE)], classes, version, random)
    write_clusters(lake, photo[unknown].reset_index(drop=True), version, random)


def write_photos(layout: Layout, photos: int) -> list[str]:
    """Write this many files of a few drawn photos, each with bytes of its own, and return their image ids."""
    designs, drawn = known_designs(), []
    for number in range(DRAWN):
        image = Image.open(BytesIO(draw_photo(Shot(designs[number % len(designs)], f"m{number}", f"v{number}"))))
        image.thumbnail((SIDE, SIDE))
        buffer = BytesIO()
        image.save(buffer, format="JPEG", quality=80)
        drawn.append(buffer.getvalue())
    image_ids = []
    for number in range(photos):
        content = drawn[number % DRAWN] + number.to_bytes(4, "big")
        image_ids.append(hashlib.sha256(content).hexdigest())
        path = layout.image(image_ids[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return image_ids


def write(lake: Lake, spec: TableSpec, rows: pd.DataFrame) -> None:
    lake.replace(spec, rows.reindex(columns=list(spec.columns)))


def write_features(
    lake: Lake, image_ids: list[str], version: str, logits: np.ndarray, random: np.random.Generator
) -> None:
    count = len(image_ids)
    columns = {
        "image_id": pa.array(image_ids),
        "model_version": pa.array([version] * count),
        "preprocess_id": pa.array(["p"] * count),
        "logits": vector_column(logits),
        "embedding": vector_column(random.normal(size=(count, DIMENSIONS)).astype(np.float32)),
        "pretrained_embedding": vector_column(random.normal(size=(count, DIMENSIONS)).astype(np.float32)),
    }
    columns |= {name: pa.nulls(count, kind) for name, kind in IMAGE_FEATURES.columns.items() if name not in columns}
    lake.replace(IMAGE_FEATURES, pa.table(columns))


def write_labelled(
    layout: Layout, image_ids: list[str], classes: list[str], version: str, random: np.random.Generator
) -> None:
    labels = [classes[number % len(classes)] for number in range(len(image_ids))]
    paths = [f"{label}/{image_id[:12]}.jpg" for label, image_id in zip(labels, image_ids, strict=True)]
    for path, image_id in zip(paths, image_ids, strict=True):
        write_bytes(layout.raw / path, layout.image(image_id).read_bytes())
    split = random.choice(["train", "val", "test"], len(paths), p=[0.7, 0.15, 0.15])
    rows = pd.DataFrame({"path": paths, "label": labels, "image_id": image_ids, "split": split, "rule": "generated"})
    write(layout.lake, IMAGE_INVENTORY, rows)
    write(layout.lake, DATASET_SPLIT, rows)
    vectors = random.normal(size=(len(paths), DIMENSIONS)).astype(np.float32)
    column = vector_column(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    table = pa.table(
        {
            **{name: pa.array(rows[name].tolist()) for name in ("image_id", "label", "split")},
            "model_version": pa.array([version] * len(paths)),
            "embedding": column,
            "pretrained_embedding": column,
        }
    )
    layout.lake.replace(KNOWN_EMBEDDINGS, table)


def write_clusters(lake: Lake, photos: pd.DataFrame, version: str, random: np.random.Generator) -> None:
    photos["cluster_id"] = random.integers(-1, CLUSTERS, len(photos))
    write(lake, UNKNOWN_CLUSTERS, photos.assign(membership=random.random(len(photos)), revision=1))
    write(lake, UNKNOWN_METADATA, photos.assign(model_version=version))
    groups = photos.groupby("cluster_id")
    summary = groups.agg(count=("image_id", "size"), representative=("image_id", "first")).reset_index()
    write(lake, CLUSTER_SUMMARY, summary.assign(mean_membership=0.5))


@dataclass(frozen=True)
class Took:
    """Seconds by the wall clock, and of the server's processor time."""

    wall: float
    processor: float


class Clock:
    """Times what the server does, by the messages on a page's websocket."""

    def __init__(self, page: Page, server: psutil.Process) -> None:
        self.page, self.server, self.sent, self.ended = page, server, 0.0, 0.0
        page.on("websocket", self._listen)

    def _listen(self, socket_: WebSocket) -> None:
        socket_.on("framesent", lambda _: setattr(self, "sent", time.perf_counter()))
        socket_.on("framereceived", self._received)

    def _received(self, frame: str | bytes) -> None:
        message = ForwardMsg()
        message.ParseFromString(frame if isinstance(frame, bytes) else frame.encode())
        if message.WhichOneof("type") == "script_finished":
            self.ended = time.perf_counter()

    def of(self, act: Callable[[], object]) -> Took:
        """Return what an action took, from its message to the end of the script that it started."""
        before, processor = self.ended, processor_seconds(self.server)
        act()
        while self.ended == before:
            self.page.wait_for_timeout(10)
        took = Took(self.ended - self.sent, processor_seconds(self.server) - processor)
        self.page.wait_for_timeout(600)
        return took


def measure(layout: Layout, *, has_model: bool) -> None:
    """Print one row per measurement."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "METER_DATA_DIR": str(layout.root)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "meter_pipeline.cli", "dashboard", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not is_up(url):
            time.sleep(0.1)
        server = psutil.Process(process.pid).children()[0]
        report("until the server answers", [Took(time.perf_counter() - started, processor_seconds(server))], server)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            browser.new_page().goto("about:blank")
            for what in ("first page, the first after the start", "first page, later"):
                page = browser.new_context(viewport={"width": 1440, "height": 1600}).new_page()
                clock = Clock(page, server)
                opened, processor = time.perf_counter(), processor_seconds(server)
                page.goto(url)
                page.wait_for_function(
                    f"[...document.querySelectorAll('img[alt^=Photo]')].filter(i => i.complete).length >= {CARDS}",
                    timeout=PATIENCE_MS,
                )
                took = Took(time.perf_counter() - opened, processor_seconds(server) - processor)
                report(what, [took], server)
                page.wait_for_timeout(1500)
            use_batches(page, clock, server)
            for name, words in (("Classes", "labelled,"), ("Unknowns", "Mostly looks like"), ("Model", "All versions")):
                took = clock.of(page.get_by_role("link", name=name).click)
                page.get_by_text(words).first.wait_for(timeout=PATIENCE_MS)
                report(f"page {name}", [took], server)
            clock.of(page.get_by_role("link", name="Classes").click)
            took = clock.of(page.get_by_role("button", name="Browse").first.click)
            report("a class, its neighbours compared", [took], server)
            if has_model:
                ask_about_a_photo(page, layout, clock, server)
            browser.close()
    finally:
        process.terminate()
        process.wait(30)


def use_batches(page: Page, clock: Clock, server: psutil.Process) -> None:
    turns = [clock.of(page.get_by_role("button", name="Next page").click) for _ in range(REPEATS)]
    report("a page turn, thumbnails to be made", turns, server)
    turns = [clock.of(page.get_by_role("button", name="Previous page").click) for _ in range(REPEATS)]
    report("a page turn, thumbnails made", turns, server)
    why = page.get_by_label("Why", exact=True)
    filters = []
    for option in ("named", "unlike the known photos"):
        why.click()
        filters.append(clock.of(page.get_by_role("option", name=option).click))
        page.keyboard.press("Escape")
    report("a filter", filters, server)
    search = page.get_by_label("Search in URLs and the sheet's cells")
    searches = []
    for text in ("00001234", "0000999", "example/2024/ab"):
        search.fill(text)
        searches.append(clock.of(lambda: search.press("Enter")))
    report("a search", searches, server)
    cleared = clock.of(page.get_by_role("button", name="Clear filters").click)
    report("filters cleared", [cleared], server)
    opened = []
    for place in range(3):
        opened.append(clock.of(page.get_by_role("button", name=re.compile("^Row ")).nth(place).click))
        page.get_by_role("dialog").wait_for(timeout=PATIENCE_MS)
        page.keyboard.press("Escape")
    report("a row opened", opened, server)


def ask_about_a_photo(page: Page, layout: Layout, clock: Clock, server: psutil.Process) -> None:
    clock.of(page.get_by_role("link", name="One photo").click)
    photos = sorted(layout.images.glob("00/*.jpg"))
    for what, photo in (("a photo, the model loaded for it", photos[0]), ("a further photo", photos[1])):
        chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
        took = clock.of(lambda photo=photo, chooser=chooser: chooser.set_input_files(photo))
        page.get_by_role("heading", name="The nearest known photos").wait_for(timeout=PATIENCE_MS)
        report(what, [took], server)


def processor_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def report(what: str, times: list[Took], server: psutil.Process) -> None:
    memory, walls = server.memory_full_info(), [took.wall for took in times]
    cells = [statistics.median(walls), max(walls), statistics.median(took.processor for took in times)]
    sizes = f"{memory.rss / 1e6:.0f} | {memory.uss / 1e6:.0f}"
    print(f"| {what} | {' | '.join(f'{cell:.2f}' for cell in cells)} | {sizes} |", flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_up(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
