"""Photos of drops, which nobody labelled: what both models call them, and what a person said of some."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from meter_pipeline.labels import DECIDING_ACTIONS, Action, FinalLabel, class_key

_NO_NAMES = frozenset(FinalLabel)


@dataclass(frozen=True)
class Word:
    """What a person said of a photo.

    Attributes:
        is_decided: whether it was named or marked as junk.
        is_junk: whether it was marked as junk.
        label: the class it was named; None if it was not, or people disagree.
        not_labels: classes that it is not.
    """

    is_decided: bool
    is_junk: bool = False
    label: str | None = None
    not_labels: tuple[str, ...] = ()

    def rejects(self, label: str) -> bool:
        """Return whether the person said that the photo is not of this class; a photo of junk is of none."""
        return self.is_junk or class_key(label) in {class_key(name) for name in self.not_labels}

    def confirms(self, label: str) -> bool:
        """Return whether the person named it so."""
        return self.label is not None and class_key(label) == class_key(self.label)


@dataclass(frozen=True)
class DropPhotos:
    """Photos of drops under both models.

    Attributes:
        last: photos of the last drops, those of the newest drop first.
        words: what people said of photos, by image_id.
        champion: the champion's final label, by image_id; photos without features are not in it.
        challenger: the challenger's.
        trained_on: photos that one of the two was trained on.
    """

    last: tuple[str, ...] = ()
    words: Mapping[str, Word] = field(default_factory=dict)
    champion: Mapping[str, str] = field(default_factory=dict)
    challenger: Mapping[str, str] = field(default_factory=dict)
    trained_on: frozenset[str] = frozenset()

    def has_both(self, image_id: str) -> bool:
        """Return whether both models have an answer to a photo, and neither was trained on it."""
        return image_id in self.champion and image_id in self.challenger and image_id not in self.trained_on


def is_name(final_label: str) -> bool:
    """Return whether a final label names a class."""
    return final_label not in _NO_NAMES


def words_of(reviewed: pd.DataFrame) -> dict[str, Word]:
    """Return what people said, by photo.

    Args:
        reviewed: rows of `REVIEWED_IMAGES`.
    """
    columns = (reviewed[name] for name in ("image_id", "action", "label", "disputed", "not_labels"))
    return {
        image_id: Word(
            is_decided=action in DECIDING_ACTIONS,
            is_junk=action == Action.JUNK,
            label=label if action == Action.NAME and not disputed else None,
            not_labels=tuple(json.loads(not_labels)) if isinstance(not_labels, str) else (),
        )
        for image_id, action, label, disputed, not_labels in zip(*columns, strict=True)
    }
