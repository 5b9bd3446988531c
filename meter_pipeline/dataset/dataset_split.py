"""Train, val or test: which photo is in which, adaptive by class size and stable as photos are added.

Whole groups (near-duplicates, photos of one meter) are placed, class by class:

- A group's own number, a hash of its id between 0 and 1, places it: below `test_share` in test, below that plus
  `val_share` in val, otherwise in train. It depends on no other photo and on no order.
- A class too small for a test or val set has none. One that is large enough gets at least half of its share and at most
  one and a half times its share (never nothing); if groups are missing, those with the nearest numbers are added.
- What is placed stays. Placed photos move only if a class comes to need a test or val set that it does not have (it
  grew past the threshold, or the set was deleted), and only towards being held out: from train, never from test. If
  groups become one (a person said so), the whole group is held out if a part was.
- A class that waits for more meters (`waiting_classes`) is left out, whole.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from meter_pipeline.dataset.waiting_classes import WaitingClass, waiting_classes
from meter_pipeline.errors import DataSetError
from meter_pipeline.labels import Split, class_key
from meter_pipeline.settings import SplitSettings
from meter_pipeline.storage.tables import DATASET_SPLIT

SPLITS = tuple(Split)
"""From least to most held out."""
TEST_SHARE, VAL_SHARE = 0.20, 0.15
"""Share of a class's groups that are held out as test, and as val; both together are below one half."""
LEAST_OF_SHARE = 0.5
MOST_OF_SHARE = 1.5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tier:
    """What a class of a certain size is split into."""

    name: str
    sets: str
    has_test: bool
    has_val: bool


SMALL = Tier("small", "train only", has_test=False, has_val=False)
MEDIUM = Tier("medium", "train and test", has_test=True, has_val=False)
LARGE = Tier("large", "train, val and test", has_test=True, has_val=True)


def split_dataset(
    inventory: pd.DataFrame,
    previous: pd.DataFrame,
    settings: SplitSettings,
) -> pd.DataFrame:
    """Place every used photo and return the rows of `tables.DATASET_SPLIT`, sorted by path.

    Args:
        inventory: rows of `tables.IMAGE_INVENTORY`; refused ones are left out.
        previous: the last split; empty the first time. A photo that changed its class counts as new.
        settings: groups a class needs before some are held out, and meters that one needs whose photos were all
            promoted; another seed gives other numbers to groups that were not placed before.

    Raises:
        DataSetError: no photo can be used. (Keep the last split then: the photos may only be out of reach.)
    """
    used = _used(inventory, settings.class_from_meters)
    placed_before = {
        (image_id, class_key(label)): split
        for image_id, label, split in zip(previous["image_id"], previous["label"], previous["split"], strict=True)
    }
    rows = used[["image_id", "path", "label", "group_id"]].copy()
    rows["split"], rows["rule"] = "", ""
    for label, of_class in rows.groupby("label", sort=True):
        sticky: dict[str, str | None] = {}
        for image_id, group in zip(of_class["image_id"], of_class["group_id"], strict=True):
            sticky[group] = _most_held_out([sticky.get(group), placed_before.get((image_id, class_key(str(label))))])
        tier = _tier_of(len(sticky), settings.split_test_from, settings.split_val_from)
        numbers = {group: _number(group, settings.seed) for group in sticky}
        places = _place(str(label), sticky, numbers, tier=tier)
        rows.loc[of_class.index, "split"] = of_class["group_id"].map(places)
        rows.loc[of_class.index, "rule"] = [_rule(tier, len(sticky), places[group]) for group in of_class["group_id"]]
    return rows[list(DATASET_SPLIT.columns)]


def _used(inventory: pd.DataFrame, class_from_meters: int) -> pd.DataFrame:
    """Return the rows of the photos that are learned from, sorted by path.

    Raises:
        DataSetError: there is none.
    """
    used = inventory[inventory["reason"].isna()].sort_values("path")
    if used.empty:
        raise DataSetError(
            f"None of the {len(inventory)} labelled files can be used.",
            where="data/raw",
            fix="See the reasons in the table image_inventory, or put photos into data/raw/<CLASS>/.",
        )
    waiting = waiting_classes(used, class_from_meters)
    for found in waiting.values():
        _logger.info("Class %s waits: %s", found.label, _counts(found))
    used = used[~used["label"].isin(waiting)].reset_index(drop=True)
    if used.empty:
        raise DataSetError(
            f"All classes wait for more meters: {', '.join(f'{c.label} ({_counts(c)})' for c in waiting.values())}.",
            where="data/raw",
            fix="Name photos of further meters, or set METER_CLASS_FROM_METERS lower.",
        )
    return used


def _counts(waiting: WaitingClass) -> str:
    return f"{waiting.meters} of {waiting.needed} meters"


def _tier_of(groups: int, test_from: int, val_from: int) -> Tier:
    """Return what a class of that many groups is split into."""
    if groups < test_from:
        return SMALL
    return LARGE if groups >= max(test_from, val_from) else MEDIUM


def split_problems(split: pd.DataFrame) -> list[str]:
    """Return what would make the evaluation dishonest, one sentence per problem; empty if the split is sound."""
    problems = []
    for value in sorted(set(split["split"]) - set(SPLITS)):
        problems.append(f"There is a split called {value!r}.")
    for image_id, count in split["image_id"].value_counts().items():
        if count > 1:
            problems.append(f"Photo {image_id} is there {count} times.")
    for group, sets in split.groupby("group_id", sort=True)["split"]:
        if sets.nunique() > 1:
            problems.append(f"Group {group} is in {_and(sets)}.")
    for label, sets in split.groupby("label", sort=True)["split"]:
        if Split.TRAIN not in set(sets):
            problems.append(f"Class {label} is in {_and(sets)} but not in train.")
    return problems


def data_set_problems(split: pd.DataFrame) -> list[str]:
    """Return notes on what does not prevent training, one sentence per note.

    Raises:
        DataSetError: training cannot start: there is no photo, or only one class.
    """
    photos = split.groupby("label", sort=True).size()
    if photos.empty:
        raise DataSetError(
            "There are no labelled photos to train on.", where="data/raw", fix="Put photos into data/raw/<CLASS>/."
        )
    if len(photos) == 1:
        raise DataSetError(
            f"There is only one class, {photos.index[0]}: there is nothing to tell it apart from.",
            where="data/raw",
            fix="Put photos of at least one other meter type into a folder of its own there.",
        )
    single = [
        f"Class {label} has one photo: it is trained on, but cannot be tested." for label in photos[photos == 1].index
    ]
    untested = sorted(
        set(photos.index) - set(split.loc[split["split"] == Split.TEST, "label"]) - set(photos[photos == 1].index)
    )
    return single + ([f"Too small to be tested: {', '.join(untested)}."] if untested else [])


def _place(
    label: str,
    sticky: dict[str, str | None],
    numbers: dict[str, float],
    *,
    tier: Tier,
) -> dict[str, str]:
    """Place the groups of one class.

    Args:
        label: the class, for the log.
        sticky: group to where it was; None if it is new.
        numbers: group to its number, 0 to 1.
        tier: what the class is split into.
    """
    by_number = sorted(sticky, key=lambda group: (numbers[group], group))
    places = {group: place or Split.TRAIN for group, place in sticky.items()}
    new = {group for group, place in sticky.items() if place is None}
    ranges = (
        (Split.TEST, tier.has_test, 0.0, TEST_SHARE),
        (Split.VAL, tier.has_val, TEST_SHARE, TEST_SHARE + VAL_SHARE),
    )
    for held_out, wanted, start, end in ranges:
        if not wanted:
            continue
        present = sum(place == held_out for place in places.values())
        movable = [
            g for g in by_number if g in new or (present == 0 and SPLITS.index(places[g]) < SPLITS.index(held_out))
        ]
        movable = [group for group in movable if places[group] != Split.TEST]
        share = (end - start) * len(sticky)
        least, most = max(1, math.ceil(LEAST_OF_SHARE * share)), max(1, math.ceil(MOST_OF_SHARE * share))
        chosen = [group for group in movable if start <= numbers[group] < end][: max(0, most - present)]
        others = sorted(
            (group for group in movable if group not in chosen and places[group] == Split.TRAIN),
            key=lambda group: (abs(numbers[group] - (start + end) / 2), group),
        )
        chosen += others[: max(0, least - present - len(chosen))]
        places.update(dict.fromkeys(chosen, held_out))
    if Split.TRAIN not in places.values():
        given_up = max(by_number, key=lambda group: (places[group] == Split.VAL, numbers[group], group))
        _logger.warning("Class %s has no photos left to train on: one %s group moves to train", label, places[given_up])
        places[given_up] = Split.TRAIN
    moved = sum(place not in (None, places[group]) for group, place in sticky.items())
    if moved:
        _logger.info("Class %s: %d placed groups moved (%d groups: %s)", label, moved, len(sticky), tier.sets)
    return places


def _number(group: str, seed: int) -> float:
    """Return a group's own number, uniform in 0 to 1, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64


def _most_held_out(places: Iterable[str | None]) -> str | None:
    return max((place for place in places if place is not None), key=SPLITS.index, default=None)


def _rule(tier: Tier, groups: int, place: str) -> str:
    rule = f"{tier.name} class ({groups} {'group' if groups == 1 else 'groups'}): {tier.sets}"
    kept = (place == Split.TEST and not tier.has_test) or (place == Split.VAL and not tier.has_val)
    return f"{rule}; what was {place} before stays so" if kept else rule


def _and(sets: pd.Series) -> str:
    return " and ".join(sorted(set(sets)))
