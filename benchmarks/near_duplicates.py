"""How well perceptual hashes find photos of one physical meter, and how often they join two: docs/decisions/0002.

Prints, side by side on the field photos, the hash in use and imagehash's plain ones, each at the largest threshold that
joins no two meters (`free`) and at the one in use; the copies are re-encoded, resized, brightened and cropped photos.

    python benchmarks/near_duplicates.py ../shared/field-photos
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance

from meter_pipeline.photos.near_duplicates import HASH_BITS, HASH_KIND, MAX_DISTANCE, near_pairs, perceptual_hash

EVERY_NTH_COPIED = 4


def in_use(image: Image.Image) -> np.ndarray:
    digits = bytes.fromhex(perceptual_hash(image).partition(":")[2])
    return np.unpackbits(np.frombuffer(digits, np.uint8))[:HASH_BITS].astype(bool)


HASHES: dict[str, Callable[[Image.Image], np.ndarray]] = {
    "phash 8x8": lambda image: imagehash.phash(image, 8).hash.ravel(),
    "phash 10x10": lambda image: imagehash.phash(image, 10).hash.ravel(),
    "phash 16x16": lambda image: imagehash.phash(image, 16).hash.ravel(),
    "dhash 8x8": lambda image: imagehash.dhash(image, 8).hash.ravel(),
    "dhash 16x16": lambda image: imagehash.dhash(image, 16).hash.ravel(),
    "phash 10 + dhash 8 both ways (in use)": in_use,
}


def resaved(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


def cropped(image: Image.Image, share: float) -> Image.Image:
    across, down = int(image.width * share), int(image.height * share)
    return image.crop((across, down, image.width - across, image.height - down))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half size, q50": resaved,
    "x1.3 bright": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "crop 2 %": lambda image: cropped(image, 0.02),
    "crop 4 %": lambda image: cropped(image, 0.04),
}


def main(folder: Path) -> None:
    table = pd.read_csv(folder / "photos.csv")
    images = [Image.open(folder / "photos" / f"{photo}.jpg").convert("RGB") for photo in table["id"]]
    first, second = np.triu_indices(len(images), 1)
    same_meter = (table["group"].to_numpy()[first] == table["group"].to_numpy()[second]).astype(bool)
    rows = []
    for name, hash_of in HASHES.items():
        bits = np.stack([hash_of(image) for image in images])
        distances = np.concatenate([(bits[at] != bits[at + 1 :]).sum(1) for at in range(len(bits) - 1)])
        copies = {
            what: np.array([(hash_of(copy(image)) != hash_of(image)).sum() for image in images[::EVERY_NTH_COPIED]])
            for what, copy in COPIES.items()
        }
        free = int(distances[~same_meter].min()) - 1
        thresholds = {"free": free, "in use": MAX_DISTANCE} if hash_of is in_use else {"free": free}
        for kind, threshold in thresholds.items():
            near = distances <= threshold
            rows.append(
                {
                    "hash": name,
                    "bits": bits.shape[1],
                    "threshold": f"{threshold} ({kind})",
                    f"pairs of one meter (of {same_meter.sum()})": int((near & same_meter).sum()),
                    "pairs of two meters": int((near & ~same_meter).sum()),
                    **{what: f"{(found <= threshold).mean():.0%}" for what, found in copies.items()},
                }
            )
    print(pd.DataFrame(rows).to_string(index=False))
    random = np.random.default_rng(0)
    many = [f"{HASH_KIND}:{random.bytes(29).hex()}" for _ in range(50_000)]
    began = time.perf_counter()
    list(near_pairs(many))
    print(f"all pairs of 50,000 photos: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/field-photos"))
