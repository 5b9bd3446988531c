"""The words of the contract: final labels, the rules that decide on them, splits, noise, what happens to clusters.

Tables, exports and pages spell them as they stand here; docs/architecture.md says what else a new rule touches.
"""

from __future__ import annotations

from enum import StrEnum

NOISE = -1
"""The `cluster_id` of photos that are in no cluster."""


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
