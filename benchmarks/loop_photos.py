"""Which photos come when: those of the drops in two halves, by whole groups, other ones in each split."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

FEWEST_PHOTOS = 7
"""Photos of an unseen design of which the round has to make a class; smaller ones may have to wait."""


def field_photos(folder: Path) -> pd.DataFrame:
    """Return one row per field photo: `photos.csv` and `image_id`."""
    photos = pd.read_csv(folder / "photos.csv").sort_values("id", ignore_index=True)
    files = [folder / "photos" / f"{name}.jpg" for name in photos["id"]]
    return photos.assign(image_id=[hashlib.sha256(file.read_bytes()).hexdigest() for file in files])


def dropped(photos: pd.DataFrame, tested: Collection[str], seed: int) -> pd.DataFrame:
    """Return the photos of the drops with the column `drop`, 1 or 2: unseen designs, junk and tested known photos.

    The groups of each label come in an order that the seed draws; each goes to the half that has fewer photos of the
    label, and by the draw where both have as many.

    Args:
        photos: columns label, role, group and image_id.
        tested: image_id of the known photos that the pipeline holds out as test.
        seed: of the split.
    """
    wanted = photos[(photos["role"] != "known") | photos["image_id"].isin(set(tested))]
    halves: dict[str, int] = {}
    for label, of_label in wanted.groupby("label", sort=True):
        random, taken = np.random.default_rng([seed, crc32(str(label).encode())]), {1: 0, 2: 0}
        sizes = of_label.groupby("group", sort=True).size()
        for group in random.permutation(sizes.index.to_numpy(str)):
            either = int(random.integers(1, 3))
            half = either if taken[1] == taken[2] else min(taken, key=lambda key: taken[key])
            halves[str(group)], taken[half] = half, taken[half] + int(sizes[group])
    return wanted.assign(drop=wanted["group"].map(halves))


def designs_to_learn(photos: pd.DataFrame) -> list[str]:
    """Return the unseen designs with photos enough that a round should make a class of them, sorted."""
    sizes = photos[photos["role"] == "unseen"].groupby("label").size()
    return sorted(sizes.index[sizes >= FEWEST_PHOTOS])
