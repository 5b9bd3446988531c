"""What people said of UNKNOWN photos holds in the clusters: groups stay together, what was taken out stays out.

The algorithm clusters as if nobody had said anything, and its clusters are then corrected. Constraints come from the
table `review_constraints`; those about photos that are not there (decided, named by the model) do nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from meter_pipeline.labels import NOISE

TOGETHER = "together"
"""`kind` of the constraints that say which photos belong together; the others take photos out."""


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
        here = constraints[constraints["image_id"].isin(place_of)]
        groups, exclusions = [], []
        for _, rows in here.groupby("constraint_id", sort=True):
            places = np.array([place_of[image_id] for image_id in rows["image_id"]], np.int64)
            is_out = rows["is_out"].to_numpy(bool)
            if rows["kind"].iloc[0] == TOGETHER:
                groups += [np.sort(places)] if len(places) > 1 else []
            elif is_out.any() and not is_out.all():
                exclusions.append(Exclusion(np.sort(places[is_out]), np.sort(places[~is_out])))
        return cls(len(image_ids), tuple(groups), tuple(exclusions))

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
        labels = labels.copy()
        if not self.groups and not self.exclusions:
            return labels
        sizes: Counter[int] = Counter(labels.tolist())
        next_label = max(int(labels.max(initial=NOISE)), NOISE) + 1
        group_of = {}
        for group in self.groups:
            group_of.update(dict.fromkeys(group.tolist(), group))
            next_label = _gather(labels, group, sizes, next_label)
        for exclusion in self.exclusions:
            taken = set(labels[exclusion.group].tolist()) - {NOISE}
            for place in exclusion.out.tolist():
                if int(labels[place]) not in taken:
                    continue
                if place in group_of:
                    labels[group_of[place]] = next_label
                    next_label += 1
                else:
                    labels[place] = NOISE
        return _without_loners(labels, before=sizes)


def _gather(labels: np.ndarray, group: np.ndarray, sizes: Counter[int], next_label: int) -> int:
    """Bring a group into one cluster, in place, and return the next label that is free."""
    counts = Counter(label for label in labels[group].tolist() if label != NOISE)
    if not counts:
        labels[group] = next_label
        sizes[NOISE] -= len(group)
        sizes[next_label] = len(group)
        return next_label + 1
    target = min(counts, key=lambda label: (-counts[label], label))
    for label, moved in counts.items():
        goes_along = label != target and 2 * moved >= sizes[label]
        if goes_along:
            sizes[target] += sizes.pop(label)
            labels[labels == label] = target
    for label in labels[group].tolist():
        sizes[label] -= 1
    labels[group] = target
    sizes[target] += len(group)
    return next_label


def _without_loners(labels: np.ndarray, *, before: Counter[int]) -> np.ndarray:
    """A photo that is left alone in its cluster, the others having been moved by a person's word, is noise."""
    numbers, counts = np.unique(labels, return_counts=True)
    alone = [number for number, count in zip(numbers.tolist(), counts.tolist(), strict=True) if count == 1]
    left = [number for number in alone if number != NOISE and before.get(number, 0) != 1]
    return np.where(np.isin(labels, left), NOISE, labels) if left else labels
