"""Classes whose photos were all named in reviews: those that wait, and those that few such photos have just taught.

A class waits while these show too few different meters to learn from: ten photos of one meter teach the wall behind it.
A class that a person made a folder for, with one photo of their own in it, never waits.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import pandas as pd

from meter_pipeline.labels import Origin, Split, class_key


@dataclass(frozen=True)
class WaitingClass:
    """A class that is not learned yet.

    Attributes:
        label: the class.
        photos: its photos.
        meters: different meters among them.
        needed: meters that it needs.
    """

    label: str
    photos: int
    meters: int
    needed: int


def waiting_classes(inventory: pd.DataFrame, class_from_meters: int) -> dict[str, WaitingClass]:
    """Return the classes that wait, by label.

    Args:
        inventory: rows of `tables.IMAGE_INVENTORY`.
        class_from_meters: meters that a class needs whose photos were all promoted.
    """
    waiting = {}
    for label, photos in inventory[inventory["reason"].isna()].groupby("label", sort=True):
        meters = int(photos["group_id"].nunique())
        if (photos["origin"] == Origin.PROMOTED).all() and meters < class_from_meters:
            waiting[str(label)] = WaitingClass(str(label), len(photos), meters, class_from_meters)
    return waiting


def taught_classes(inventory: pd.DataFrame, split: pd.DataFrame, *, photos: Container[int]) -> list[str]:
    """Return the classes that are learned from few photos, all of them promoted, sorted.

    Args:
        inventory: rows of `tables.IMAGE_INVENTORY`.
        split: rows of `tables.DATASET_SPLIT`.
        photos: how many train photos such a class has.
    """
    promoted = set(inventory.loc[inventory["origin"] == Origin.PROMOTED, "image_id"])
    train = split[split["split"] == Split.TRAIN]
    by_class = train["image_id"].isin(promoted).groupby(train["label"])
    return sorted(str(label) for label, of_class in by_class if of_class.all() and len(of_class) in photos)


def left_out_of_split(inventory: pd.DataFrame, split: pd.DataFrame, promoted: pd.DataFrame) -> dict[str, WaitingClass]:
    """Return the classes that a split leaves out because they wait, by label.

    Args:
        inventory: rows of `tables.IMAGE_INVENTORY`.
        split: rows of `tables.DATASET_SPLIT`.
        promoted: rows of `tables.PROMOTED_IMAGES`, which say how many meters a class needs.
    """
    needing = promoted[promoted["class_meters_needed"].notna()]
    needed = {
        class_key(label): int(n) for label, n in zip(needing["label"], needing["class_meters_needed"], strict=True)
    }
    in_split = set(split["label"])
    left_out = {}
    for label, photos in inventory[inventory["reason"].isna()].groupby("label", sort=True):
        if label not in in_split and class_key(str(label)) in needed:
            meters = int(photos["group_id"].nunique())
            left_out[str(label)] = WaitingClass(str(label), len(photos), meters, needed[class_key(str(label))])
    return left_out
