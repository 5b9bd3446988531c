"""The words of the contract: what a photo is finally called, which rule decided, and what noise and refusal are called.

Tables, exports and pages spell them as they stand here (DESIGN sections 2, 3 and 6).
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


class DropStatus(StrEnum):
    """Whether a dropped file could be read."""

    READ = "read"
    REFUSED = "refused"
