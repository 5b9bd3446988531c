"""UNKNOWN photos that show one physical meter: near-duplicates among them, by perceptual hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from meter_pipeline.labels import FinalLabel
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.near_duplicates import group_photos, perceptual_hash
from meter_pipeline.photos.parallel import in_parallel

SCOPE = FinalLabel.UNKNOWN.value
"""The ids of the groups are made from it: photos are compared within one scope only."""
PHOTOS_AHEAD = 64
HASHED_SIDE = 256
"""Pixels; a JPEG is decoded no larger than the hash needs."""
LARGEST_COMPARED = 50_000
"""Photos up to which all pairs are compared (half a minute); above, only within their clusters."""


def hash_photos(files: Sequence[Path], known: Sequence[str | None]) -> list[str | None]:
    """Return the perceptual hash of each photo; None if its file is lost or damaged.

    Args:
        files: the photos.
        known: their hashes, where they were computed before.
    """
    pairs = list(zip(files, known, strict=True))
    return list(in_parallel(lambda pair: pair[1] or _hash(pair[0]), pairs, ahead=PHOTOS_AHEAD))


def same_meter_groups(
    image_ids: Sequence[str],
    hashes: Sequence[str | None],
    labels: np.ndarray,
    previous: Mapping[str, str],
) -> list[str]:
    """Return the id of a group for each photo; photos that show one physical meter share it, the others have their own.

    It finds bursts and copies, and joined no two meters where it was measured (0002); it does not see that two photos
    show one meter from two sides.

    Args:
        image_ids: the photos.
        hashes: their perceptual hashes; a photo without one is alone.
        labels: their clusters.
        previous: image_id to group of the photos that were grouped before: these are not compared again.
    """
    blocks = [np.arange(len(labels))]
    if len(labels) > LARGEST_COMPARED:
        blocks = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups = [""] * len(image_ids)
    for block in blocks:
        alike: dict[str, list[int]] = {}
        for place in block.tolist():
            hash_ = hashes[place]
            alike.setdefault(image_ids[place] if hash_ is None or hash_.endswith(":") else hash_, []).append(place)
        # One of each set of equal hashes is compared, if possible one that has a group: thousands of copies would make
        # millions of pairs.
        first = [next((place for place in same if image_ids[place] in previous), same[0]) for same in alike.values()]
        ids = [image_ids[place] for place in first]
        found = group_photos(ids, [hashes[place] or "" for place in first], scope=SCOPE, previous=dict(previous))
        for same, group in zip(alike.values(), found, strict=True):
            for place in same:
                groups[place] = group
    return groups


def _hash(path: Path) -> str | None:
    try:
        return perceptual_hash(open_photo(path, smallest_side=HASHED_SIDE).image)
    except PhotoError:
        return None
