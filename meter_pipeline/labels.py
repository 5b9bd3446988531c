"""The words of the contract: final labels, the rules that decide on them, splits, noise, what happens to clusters.

Tables, exports and pages spell them as they stand here; docs/architecture.md says what else a new rule touches. Also
when two class names are one, and how a count is said.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum

NOISE = -1
"""The `cluster_id` of photos that are in no cluster."""
HARDLY_METERS = 0.5
"""Share of photos that look like meters below which a cluster is probably junk."""


class FinalLabel(StrEnum):
    """What `final_prediction` says where it does not name a class."""

    UNKNOWN = "UNKNOWN"
    DARK = "DARK"
    ERROR = "ERROR"


class Rule(StrEnum):
    """What decided on a final label."""

    ACCEPTED = "accepted"
    THRESHOLD = "threshold"
    GUARD = "guard"
    DARK = "dark"
    ERROR = "error"


class Split(StrEnum):
    """Which part of the data set a labelled photo is in."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class ClusterEvent(StrEnum):
    """What happened to a cluster when the photos were clustered again."""

    NEW = "new"
    KEPT = "kept"
    SPLIT = "split"
    MERGED = "merged"
    GONE = "gone"


class DropStatus(StrEnum):
    """Whether a dropped file could be read."""

    READ = "read"
    REFUSED = "refused"


class Origin(StrEnum):
    """How a labelled photo came into `data/raw`."""

    FOLDER = "folder"
    PROMOTED = "promoted"


class Action(StrEnum):
    """What a person says about photos in a review decision."""

    NAME = "name"
    JUNK = "junk"
    EXCLUDE = "exclude"
    GROUP = "group"
    LATER = "later"
    UNDO = "undo"


DECIDING_ACTIONS = frozenset({Action.NAME, Action.JUNK})
"""A photo whose live word is one of these is decided: it leaves the set that is clustered."""


class ConstraintKind(StrEnum):
    """What a person said of a group of photos, in `review_constraints`."""

    TOGETHER = "together"
    APART = "apart"


class Promotion(StrEnum):
    """What became of a photo that a person named."""

    PROMOTED = "promoted"
    DISPUTED = "disputed"
    LABELLED_OTHERWISE = "labelled otherwise"
    MISSING = "missing"
    REFUSED = "refused"


class Outcome(StrEnum):
    """What the gate says of a new model: in use from now on, a person decides, or not good enough."""

    ACCEPTED = "accepted"
    HELD = "held"
    REFUSED = "refused"


def class_key(name: str) -> str:
    """Return what is the same for two class names exactly if they are one class.

    Names that differ by case, by blanks at the ends or how many are between words, or by Unicode form are one class.
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 photo`, `2 photos`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
