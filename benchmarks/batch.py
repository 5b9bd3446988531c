"""A batch of URLs from drop to features against the user's own way, the pure passes, and the cost of a row.

    python benchmarks/batch.py [--urls 1000] [--different 200] [--backbones efficientnet_lite0,resnet18]
                               [--only batch,rows] [--rows 5000] [--row-photos 100] [--baseline DIR] [--data DIR]

`batch`: URLs at 50 ms through what the assets `url_images` and `image_features` call, beside a script as people write
it (`requests`, Pillow, torch on two threads, one by one, one view, no guard). Each is a process of its own, start-up
included. Beside them, as many forward passes as ours makes, on tensors that lie in memory.
`rows`: rows of few photos, without delay, through all of a batch: processor time per row of each stage, and of the same
in a checkout to compare with. Photos are drawn, 1200x1600 (in `rows` 300x400), JPEG of quality 85; each URL of `batch`
gives another file.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PARTS = ("batch", "rows")
LATENCY_S = 0.05
PHOTO_SIZE = (1200, 1600)
SMALL_SIZE = (300, 400)
"""Of the photos of `rows`, whose decoding is not what is asked for."""
QUALITY = 85
CLASSES = 38
"""Of the user's model."""
SHARE_ASKED, TIMES_ASKED = 0.85, {"efficientnet_lite0": 5.0, "resnet18": 3.0}
OURS = {"ours, all views of every photo": "batch", "ours, every photo plainly known": "plain"}
"""Both bounds of adaptive views, and what runs them."""
THEIRS = "the user's own way"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--urls", type=int, default=1000)
    parser.add_argument("--different", type=int, default=200, help="photos drawn")
    parser.add_argument("--backbones", default="efficientnet_lite0,resnet18")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--row-photos", type=int, default=100)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--baseline", type=Path, help="a checkout to compare with")
    parser.add_argument("--data", type=Path, help="where photos and models are kept for the next time")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(int(arguments.serve[0]), Path(arguments.serve[1]), float(arguments.serve[2]))
    if arguments.worker:
        return WORKERS[arguments.worker[0]](*arguments.worker[1:])
    folder = arguments.data or Path(tempfile.mkdtemp(prefix="batch-"))
    try:
        for part in arguments.only.split(","):
            print(f"\n## {part}", flush=True)
            {"batch": batch, "rows": rows}[part](folder, arguments)
    finally:
        if arguments.data is None:
            shutil.rmtree(folder, ignore_errors=True)
    return None


def batch(folder: Path, arguments: argparse.Namespace) -> None:
    """Our way, the user's own and the passes alone, in turns, for each backbone."""
    photos = drawn(folder / "photos", min(arguments.different, arguments.urls), PHOTO_SIZE)
    with served(photos, LATENCY_S) as base:
        urls = [f"{base}/other/{number}.jpg" for number in range(arguments.urls)]
        print(f"{len(urls):,} URLs at {LATENCY_S * 1000:.0f} ms, start-up included")
        print("| backbone | way | s | photos/s | passes/s | processor s | of it in the kernel | peak MB |")
        print("|---|---|---|---|---|---|---|---|")
        for backbone in arguments.backbones.split(","):
            model = folder / f"model-{backbone}"
            if not model.exists():
                finish(spawn("train", str(model), backbone))
            data = folder / "data"
            shutil.copytree(model, data)
            try:
                (data / "drops").mkdir(parents=True)
                (data / "drops" / "batch.csv").write_text("url\n" + "\n".join(urls) + "\n", encoding="utf-8")
                finish(spawn("drop", str(data)))
                ours = {way: measured_batch(data, worker) for way, worker in OURS.items()}
                theirs = measured(spawn("script", str(data / "drops" / "batch.csv"), backbone))
                pure = json.loads(output_of(spawn("passes", str(data), str(len(urls)))))
            finally:
                shutil.rmtree(data)
            for way, figures in ours.items():
                print(f"| {backbone} | {way} | {_row(figures, len(urls), round(figures['views']))} |", flush=True)
            print(f"| {backbone} | {THEIRS} | {_row(theirs, len(urls), len(urls))} |", flush=True)
            print(f"| {backbone} | passes alone, {pure['engine']} | | | {pure['rate']:.1f} | | | |")
            for way, figures in ours.items():
                share = figures["views"] / figures["seconds"] / pure["rate"]
                times, cpu = theirs["seconds"] / figures["seconds"], theirs["cpu"] / figures["cpu"]
                print(
                    f"{backbone}, {way}: {share:.0%} of the passes alone (asked: {SHARE_ASKED:.0%});"
                    f" {times:.1f} times as fast as {THEIRS} (asked: {TIMES_ASKED.get(backbone, 0):g}),"
                    f" a {cpu:.1f}th of its processor time",
                    flush=True,
                )


def measured_batch(data: Path, worker: str) -> dict[str, float]:
    """Run a batch on its own copy of the data; beside what it took, return the number of views it looked at."""
    copy = data.with_name(f"data-{worker}")
    shutil.copytree(data, copy)
    try:
        figures = measured(spawn(worker, str(copy)))
        return figures | json.loads(output_of(spawn("views", str(copy))))
    finally:
        shutil.rmtree(copy)


def _row(figures: dict[str, float], photos: int, passes: int) -> str:
    seconds = figures["seconds"]
    return (
        f"{seconds:.1f} | {photos / seconds:.1f} | {passes / seconds:.1f} | {figures['cpu']:.1f}"
        f" | {figures['kernel']:.1f} | {figures['peak']:.0f}"
    )


def rows(folder: Path, arguments: argparse.Namespace) -> None:
    """The stages of a batch on rows of few photos, here and in the baseline."""
    photos = drawn(folder / "small photos", arguments.row_photos, SMALL_SIZE)
    found: dict[str, dict[str, float]] = {}
    roots = {"here": PROJECT} | ({"baseline": arguments.baseline.resolve()} if arguments.baseline else {})
    with served(photos, 0.0) as base:
        for place, root in roots.items():
            data = folder / f"rows-{place}"
            finish(spawn("train", str(data), "efficientnet_lite0", root=root))
            try:
                (data / "drops").mkdir(parents=True)
                urls = (f"{base}/same/{number % arguments.row_photos}/{number}.jpg" for number in range(arguments.rows))
                (data / "drops" / "rows.csv").write_text("url\n" + "\n".join(urls) + "\n", encoding="utf-8")
                found[place] = json.loads(output_of(spawn("stages", str(data), root=root)))
            finally:
                shutil.rmtree(data)
    print(f"{arguments.rows:,} rows of {arguments.row_photos:,} photos, milliseconds of processor time per row")
    print("| stage | " + " | ".join(found) + " |\n|---" + "|---" * len(found) + "|")
    for stage in found["here"]:
        unit = 1.0 if stage == "peak MB" else 1000 / arguments.rows
        print(f"| {stage} | " + " | ".join(f"{each[stage] * unit:.2f}" for each in found.values()) + " |")
    if "baseline" in found:
        print(f"in total {found['here']['in total'] / found['baseline']['in total']:.2f} times the baseline")


def drawn(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Return a folder with so many different drawn photos, in files that are named by their number."""
    from PIL import Image

    from meter_pipeline.demo.drawing.designs import known_designs
    from meter_pipeline.demo.drawing.photo import Shot, draw_photo

    folder.mkdir(parents=True, exist_ok=True)
    designs = known_designs()
    for number in range(count):
        path = folder / f"{number}.jpg"
        if not path.exists():
            shot = Shot(designs[number % len(designs)], f"m{number}", f"v{number}")
            with Image.open(io.BytesIO(draw_photo(shot))) as photo:
                photo.resize(size, Image.Resampling.BICUBIC).save(path, quality=QUALITY)
    return folder


def serve(port: int, folder: Path, delay_s: float) -> None:
    """Serve photos; their bytes are ready beforehand, so that serving them costs little.

    `/same/<photo>/<n>.jpg` gives a photo as it is, `/other/<n>.jpg` one with a comment of its own: another file each.
    """
    files = sorted(folder.glob("*.jpg"), key=lambda path: int(path.stem))
    photos = [path.read_bytes() for path in files]

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.asked = transport, b""

        def data_received(self, data: bytes) -> None:
            self.asked += data
            while b"\r\n\r\n" in self.asked:
                head, _, self.asked = self.asked.partition(b"\r\n\r\n")
                asyncio.get_running_loop().call_later(delay_s, self.transport.writelines, _answer(head, photos))

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=256)
        await server.serve_forever()

    asyncio.run(run())


def _answer(head: bytes, photos: list[bytes]) -> list[bytes]:
    kind, number = head.split(b" ", 2)[1].split(b"/")[1:3]
    place = int(number.partition(b".")[0])
    photo = photos[place % len(photos)]
    comment = b"\xff\xfe\x00\x0a%08d" % place if kind == b"other" else b""
    size = len(photo) + len(comment)
    line = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % size
    return [line, photo[:2], comment, photo[2:]]


@contextmanager
def served(photos: Path, delay_s: float) -> Iterator[str]:
    """Run the server in a process of its own: its processor time is not ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(port), str(photos), str(delay_s)])
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


def spawn(*worker: str, root: Path = PROJECT) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(root), "METER_ALLOW_HOSTS": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, __file__, "--worker", *worker]
    return subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE)


def output_of(process: subprocess.Popen[bytes]) -> bytes:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit("A worker failed.")
    return output


def finish(process: subprocess.Popen[bytes]) -> None:
    output_of(process)


def measured(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Wait for a process that was just started; return its seconds, processor seconds and peak megabytes."""
    began = time.monotonic()
    process.stdout.read()  # type: ignore[union-attr]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        raise SystemExit("A worker failed.")
    return {
        "seconds": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "kernel": used.ru_stime,
        "peak": used.ru_maxrss / 1024,
    }


def work_train(data: str, backbone: str) -> None:
    """Make a model of three classes of drawn patterns, good enough to have all parts, and put it into use."""
    from meter_pipeline.errors import WeightsError
    from meter_pipeline.recognition.model_card import set_champion
    from meter_pipeline.settings import TrainingSettings, load_settings
    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.training.trained_model import train_model
    from meter_pipeline_tests.support.patterns import split_of

    layout = Layout(Path(data))
    split = split_of(layout.raw, {"BLUE_A": (6, 0, 1), "GREY_A": (6, 0, 1), "WHITE_A": (6, 0, 1)})
    small = {"epochs_head": 1, "epochs_tune": 1, "train_views": 5, "guard_folds": 0, "read_plates": False}

    def train(weights: str) -> str:
        settings = load_settings(data_dir=layout.root, backbone=backbone, weights=weights, **small)
        return train_model(split, layout, TrainingSettings.from_settings(settings)).version

    try:
        version = train(os.environ.get("METER_WEIGHTS", "imagenet"))
    except WeightsError:  # no pretrained weights without internet: a pass takes as long with random ones
        version = train("none")
    set_champion(layout, version, reason="for a benchmark")
    shutil.rmtree(layout.raw)


def work_drop(data: str) -> None:
    from meter_pipeline.ingest.drop_rows import take_in_drops
    from meter_pipeline.storage.layout import Layout

    take_in_drops(Layout(Path(data)))


def work_batch(data: str) -> None:
    """What the assets `url_images` and `image_features` do."""
    layout, limits = _layout_and_limits(data)
    _downloads()(layout, limits)
    from meter_pipeline.recognition.image_features import compute_features

    compute_features(layout)


def _layout_and_limits(data: str) -> tuple[Any, Any]:
    from meter_pipeline.ingest.url_images import DownloadLimits
    from meter_pipeline.settings import load_settings
    from meter_pipeline.storage.layout import Layout

    return Layout(Path(data)), DownloadLimits.from_settings(load_settings(data_dir=data))


def _downloads() -> Callable[..., Any]:
    """Return what the asset `url_images` calls in this checkout."""
    try:
        from meter_pipeline.batches.streaming import download_and_look
    except ImportError:
        from meter_pipeline.ingest.url_images import download_drops

        return download_drops
    return download_and_look


def work_views(data: str) -> None:
    """Print how many views were put through the network."""
    import pyarrow.compute as pc

    from meter_pipeline.storage.layout import Layout
    from meter_pipeline.storage.tables import IMAGE_FEATURES

    print(json.dumps({"views": pc.sum(Layout(Path(data)).lake.read(IMAGE_FEATURES, ["views"])["views"]).as_py()}))


def work_plain(data: str) -> None:
    """The same, as if every photo were plainly known on the view of the whole: the other bound of adaptive views."""
    import numpy as np

    from meter_pipeline.recognition.early_exit import EarlyExit

    class Plain(EarlyExit):
        def is_plain(self, seen: Any, known: Any, guard: Any, classes: list[str]) -> np.ndarray:
            super().is_plain(seen, known, guard, classes)
            return np.ones(len(seen.logits), bool)

    def plain(_class: type[EarlyExit], _card: object) -> EarlyExit:
        return Plain(confidence=0.0, margin=0.0)

    EarlyExit.from_card = classmethod(plain)  # type: ignore
    work_batch(data)


def work_passes(data: str, views: str) -> None:
    """Print the seconds of so many forward passes by the engine that the model has, on pixels that lie in memory."""
    import numpy as np

    from meter_pipeline.photos.parallel import in_parallel
    from meter_pipeline.recognition.model_store import load_model
    from meter_pipeline.storage.layout import Layout

    engine = load_model(Layout(Path(data))).engine
    size = max(1, 3 * engine.photos_per_pass)
    pixels = np.random.default_rng(0).integers(0, 256, (size, 224, 224, 3), np.uint8)

    def run(passes: int) -> None:
        for _ in in_parallel(lambda _: engine.run(pixels), range(passes), ahead=16):
            pass

    count = max(1, int(views) // size)
    run(4)
    wall, cpu = time.monotonic(), time.process_time()
    run(count)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    print(json.dumps({"rate": count * size / wall, "cpu": cpu / (count * size), "engine": engine.name}))


def work_script(sheet: str, backbone: str) -> None:
    """What people write who have a sheet of URLs and a model: one by one."""
    from io import BytesIO

    import pandas as pd
    import requests
    import torch
    from PIL import Image
    from torchvision import models, transforms

    torch.set_num_threads(2)
    if backbone == "resnet18":
        model = models.resnet18(weights=None, num_classes=CLASSES)
    else:
        import timm

        model = timm.create_model(backbone, pretrained=False, num_classes=CLASSES)
    model.eval()
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    transform = transforms.Compose(
        [transforms.Resize((224, 224)), transforms.ToTensor(), transforms.Normalize(mean, std)]
    )
    names = [f"class {number}" for number in range(CLASSES)]
    results = []
    for url in pd.read_csv(sheet)["url"]:
        try:
            answer = requests.get(url, timeout=15)
            answer.raise_for_status()
            image = Image.open(BytesIO(answer.content)).convert("RGB")
        except Exception as error:
            results.append({"image_url": url, "final": "ERROR", "reason": str(error)})
            continue
        with torch.no_grad():
            shares = torch.softmax(model(transform(image).unsqueeze(0)), dim=1)[0]
        best = torch.topk(shares, 3)
        row = {"image_url": url, "final": names[int(best.indices[0])] if float(best.values[0]) >= 0.5 else "UNKNOWN"}
        for place in range(3):
            row[f"top{place + 1}_class"] = names[int(best.indices[place])]
            row[f"top{place + 1}_confidence"] = float(best.values[place])
        results.append(row)
    pd.DataFrame(results).to_csv(Path(sheet).with_suffix(".predictions.csv"), index=False)


def work_stages(data: str) -> None:
    """Print the processor seconds of each stage of a batch in one process, and its peak megabytes."""
    from meter_pipeline.batches.batch_predictions import name_rows
    from meter_pipeline.batches.prediction_exports import export_drops
    from meter_pipeline.ingest.drop_rows import take_in_drops
    from meter_pipeline.recognition.image_features import compute_features
    from meter_pipeline.settings import DecisionSettings, load_settings

    layout, limits = _layout_and_limits(data)
    rules = DecisionSettings.from_settings(load_settings(data_dir=data))
    stages: dict[str, Callable[[], object]] = {
        "drop_rows": lambda: take_in_drops(layout),
        "url_images": lambda: _downloads()(layout, limits),
        "image_features": lambda: compute_features(layout),
        "batch_predictions": lambda: name_rows(layout, rules),
        "prediction_exports": lambda: export_drops(layout),
    }
    used: dict[str, float] = {}
    for name, stage in stages.items():
        before = _processor_s()
        stage()
        used[name] = _processor_s() - before
    used["in total"] = sum(used.values())
    used["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(used))


def _processor_s() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


WORKERS: dict[str, Callable[..., None]] = {
    "train": work_train,
    "drop": work_drop,
    "batch": work_batch,
    "passes": work_passes,
    "plain": work_plain,
    "views": work_views,
    "script": work_script,
    "stages": work_stages,
}

if __name__ == "__main__":
    main()
