"""What people said of UNKNOWN photos holds in the clusters: groups stay together, what was taken out stays out.

The algorithm clusters as if nobody had said anything, and its clusters are then corrected. Constraints come from the
table `review_constraints`; those about photos that are not there (decided, named by the model) do nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from meter_pipeline.labels import NOISE, ConstraintKind

Said = tuple[str, str]
"""What people said of a photo: id of the constraint that is its group, hashes of what it was taken out of; or empty."""
NOTHING_SAID: Said = ("", "")


@dataclass(frozen=True)
class Exclusion:
    """Photos that were taken out of a group.

    Attributes:
        out: their places.
        group: places of the photos that they are apart from.
    """

    out: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class GivenConstraints:
    """Constraints on a set of photos, by the photos' places in it.

    Attributes:
        photos: number of photos in the set.
        groups: places of photos that belong together; two or more each, and no photo in two of them.
        exclusions: what does not belong together.
    """

    photos: int
    groups: tuple[np.ndarray, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    @classmethod
    def among(cls, image_ids: Sequence[str], constraints: pd.DataFrame) -> GivenConstraints:
        """Return the constraints that photos of this set have on each other.

        Args:
            image_ids: the photos, in order.
            constraints: rows of `review_constraints`.
        """
        place_of = {image_id: place for place, image_id in enumerate(image_ids)}
        places = np.array([place_of.get(image_id, -1) for image_id in constraints["image_id"]], np.int64)
        numbers = pd.factorize(constraints["constraint_id"], sort=True)[0]
        together = constraints["kind"].to_numpy(object) == ConstraintKind.TOGETHER
        is_out = constraints["is_out"].to_numpy(bool)
        rows = np.lexsort((places, numbers))
        rows = rows[places[rows] >= 0]
        groups, exclusions = [], []
        for of_one in np.split(rows, np.flatnonzero(np.diff(numbers[rows])) + 1):
            out, others = places[of_one[is_out[of_one]]], places[of_one[~is_out[of_one]]]
            if together[of_one].any():
                groups.append(others)
            elif len(out) and len(others):
                exclusions.append(Exclusion(out, others))
        return cls(len(image_ids), _without_those_out(groups, exclusions, len(image_ids)), tuple(exclusions))

    @property
    def constrained(self) -> np.ndarray:
        """Whether each photo belongs to a group, or is kept out of one, by a person's word."""
        flags = np.zeros(self.photos, bool)
        for places in (*self.groups, *(exclusion.out for exclusion in self.exclusions)):
            flags[places] = True
        return flags

    def hold(self, labels: np.ndarray) -> np.ndarray:
        """Return clusters that hold to the constraints; those that do already stay as they are.

        A group goes where most of it is; a cluster of which half or more goes, goes with it; if all of a group is
        noise, it is a cluster of its own. Photos that were taken out of a group and are in a cluster with any of it
        leave: with their own group to a cluster of their own, otherwise to noise.

        Args:
            labels: cluster of each photo, -1 for noise.
        """
        held = labels.copy()
        sizes: Counter[int] = Counter(labels.tolist())
        next_label = max(int(labels.max(initial=NOISE)), NOISE) + 1
        group_of = {}
        for group in self.groups:
            group_of.update(dict.fromkeys(group.tolist(), group))
            next_label = _gather(held, group, sizes, next_label)
        for exclusion in self.exclusions:
            taken = set(held[exclusion.group].tolist()) - {NOISE}
            for place in exclusion.out.tolist():
                if int(held[place]) not in taken:
                    continue
                if place in group_of:
                    held[group_of[place]] = next_label
                    next_label += 1
                else:
                    held[place] = NOISE
        return _without_loners(held, before=labels)


def said_of(constraints: pd.DataFrame) -> dict[str, Said]:
    """Return what people said of each photo that is in a group or was taken out of one, by image_id.

    Args:
        constraints: rows of `review_constraints`.
    """
    is_out, together = (
        constraints["is_out"].to_numpy(bool),
        constraints["kind"].to_numpy(object) == ConstraintKind.TOGETHER,
    )
    members, apart = constraints[together], constraints[~together & ~is_out].sort_values("image_id")
    group_of = dict(zip(members["image_id"], members["constraint_id"], strict=True))
    taken_out_of = {
        str(number): hashlib.sha256("".join(image_ids).encode()).hexdigest()[:16]
        for number, image_ids in apart.groupby("constraint_id")["image_id"].agg(list).items()
    }
    hashes: dict[str, set[str]] = {}
    for number, image_id in constraints.loc[is_out, ["constraint_id", "image_id"]].itertuples(index=False):
        hashes.setdefault(image_id, set()).add(taken_out_of.get(number, ""))
    return {
        image_id: (group_of.get(image_id, ""), " ".join(sorted(hashes.get(image_id, ()))))
        for image_id in group_of.keys() | hashes.keys()
    }


def said_otherwise(before: Mapping[str, Said], now: Mapping[str, Said]) -> set[str]:
    """Return the photos of which people said something before that they do not say any more.

    A group that grew, or that some left, still counts for the others; one that came apart into several counts for none.

    Args:
        before: what they said of each photo then, as `said_of` gave it.
        now: what they say.
    """
    now_of = {image_id: now.get(image_id, NOTHING_SAID) for image_id in before}
    became: dict[str, set[str]] = {}
    for image_id, (group, _) in before.items():
        became.setdefault(group, set()).add(now_of[image_id][0])
    parted = {group for group, groups in became.items() if group and len(groups - {""}) > 1}
    return {
        image_id
        for image_id, (group, out_of) in before.items()
        if group in parted
        or (group and not now_of[image_id][0])
        or set(out_of.split()) - set(now_of[image_id][1].split())
    }


def _without_those_out(groups: list[np.ndarray], exclusions: list[Exclusion], photos: int) -> tuple[np.ndarray, ...]:
    """Return the groups without photos that were taken out of them, as far as two or more photos are left."""
    number_of, leaves = np.full(photos, -1), np.zeros(photos, bool)
    for number, group in enumerate(groups):
        number_of[group] = number
    for exclusion in exclusions:
        left = set(number_of[exclusion.group].tolist()) - {-1}
        leaves[[place for place in exclusion.out.tolist() if number_of[place] in left]] = True
    remaining = (group[~leaves[group]] for group in groups)
    return tuple(group for group in remaining if len(group) > 1)


def _gather(labels: np.ndarray, group: np.ndarray, sizes: Counter[int], next_label: int) -> int:
    """Bring a group into one cluster, in place, and return the next label that is free."""
    parts = Counter(label for label in labels[group].tolist() if label != NOISE)
    target = min(parts, key=lambda label: (-parts[label], label), default=next_label)
    for label, moved in parts.items():
        if label != target and 2 * moved >= sizes[label]:
            sizes[target] += sizes.pop(label)
            labels[labels == label] = target
    for label in labels[group].tolist():
        sizes[label] -= 1
    sizes[target] += len(group)
    labels[group] = target
    return max(next_label, target + 1)


def _without_loners(labels: np.ndarray, *, before: np.ndarray) -> np.ndarray:
    """A photo that is left alone in its cluster, the others having been moved by a person's word, is noise."""
    alone, was_alone = _is_alone(labels), _is_alone(before) & (labels == before)
    return np.where(alone & ~was_alone, NOISE, labels)


def _is_alone(labels: np.ndarray) -> np.ndarray:
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return (sizes[inverse] == 1) & (labels != NOISE)
