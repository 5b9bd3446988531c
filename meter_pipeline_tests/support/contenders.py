"""Models before the gate that were never trained: their answers to test photos are written down by a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from meter_pipeline.evaluation.gate.contender import Contender, GuardFigures
from meter_pipeline.labels import FinalLabel

Answer = tuple[str, str, str]
"""Photo, true class, predicted class."""
GUARD = GuardFigures(known_flagged_limit=0.05, hidden_caught=0.8, hidden_by_class=dict.fromkeys("cdefgh", 0.8))


def contender(
    version: str,
    classes: Iterable[str],
    says: Iterable[Answer] = (),
    trained_on: Iterable[str] = (),
    *,
    flags: Iterable[str] = (),
    **more: Any,
) -> Contender:
    """A model that says to photo `id` of `true` class: `predicted`, and sends the photos that it flags to UNKNOWN."""
    audit = pd.DataFrame(list(says), columns=["image_id", "true_class", "predicted_class"]).astype(object)
    is_flagged = audit["image_id"].isin(set(flags))
    audit["final_prediction"] = audit["predicted_class"].mask(is_flagged, FinalLabel.UNKNOWN)
    return Contender(version, tuple(classes), audit, frozenset(trained_on), **{"guard": GUARD, **more})


def answers(right_by_class: Mapping[str, int], *, photos: int = 10, wrong: str = "other") -> list[Answer]:
    """As many photos of each class, so many of them right; the others are called `wrong`."""
    return [
        (f"{name}{number}", name, name if number < right else wrong)
        for name, right in right_by_class.items()
        for number in range(photos)
    ]


def held_out(rows: Iterable[tuple[str, bool]]) -> pd.DataFrame:
    """Photos that were held out from folds: class, and whether they were named rightly."""
    frame = pd.DataFrame(list(rows), columns=["class", "correct"])
    return frame.assign(hidden=False, image_id=[f"h{number}" for number in range(len(frame))])
