"""Small drawn photos for tests: three classes that a network tells apart within a few epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

CLASSES = ("BLUE_A", "GREY_A", "WHITE_A")
COLOURS = {"BLUE_A": (40, 80, 190), "GREY_A": (120, 120, 118), "WHITE_A": (230, 228, 220), "RED_NEW": (190, 40, 40)}


def draw(kind: str, seed: int, size: tuple[int, int] = (180, 240)) -> Image.Image:
    """Draw a photo of a class, or of `RED_NEW`, which is not a class."""
    random = np.random.default_rng([seed, sum(map(ord, kind))])
    image = Image.new("RGB", size, tuple(int(v) for v in random.integers(60, 200, 3)))
    pen = ImageDraw.Draw(image)
    left, top = (int(v) for v in random.integers(10, 40, 2))
    right, bottom = size[0] - int(random.integers(10, 40)), size[1] - int(random.integers(10, 40))
    pen.rectangle((left, top, right, bottom), fill=COLOURS[kind])
    for line in range(CLASSES.index(kind) * 2 + 1 if kind in CLASSES else 0):
        pen.line((left + 8, top + 12 + 14 * line, right - 8, top + 12 + 14 * line), fill=(10, 10, 10), width=3)
    pixels = np.asarray(image, np.int16) + random.integers(-12, 13, (*image.size[::-1], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_raw(raw: Path, counts: dict[str, int], *, start: int = 0) -> None:
    """Write labelled photos, one folder per class."""
    for kind, count in counts.items():
        (raw / kind).mkdir(parents=True, exist_ok=True)
        for number in range(start, start + count):
            draw(kind, number).save(raw / kind / f"{number:03d}.jpg", quality=90)


def split_of(raw: Path, counts: dict[str, tuple[int, int, int]]) -> pd.DataFrame:
    """Write photos and return rows of `dataset_split`: by class, the numbers of train, val and test photos."""
    rows = []
    for label, numbers in counts.items():
        names = [name for name, count in zip(("train", "val", "test"), numbers, strict=True) for _ in range(count)]
        write_raw(raw, {label: len(names)})
        for number, name in enumerate(names):
            image_id = f"{label.lower()}{number:04d}"
            path = f"{label}/{number:03d}.jpg"
            rows.append((image_id, path, label, image_id, name, "for a test"))
    return pd.DataFrame(rows, columns=["image_id", "path", "label", "group_id", "split", "rule"])
