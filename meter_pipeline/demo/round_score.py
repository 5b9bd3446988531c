"""What a round of review and training changed: new designs named rightly, known ones still right, junk still caught."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from meter_pipeline.demo.scorecard import rows_with_truth
from meter_pipeline.labels import FinalLabel
from meter_pipeline.recognition.model_card import load_card
from meter_pipeline.storage.layout import Layout


@dataclass(frozen=True)
class DropScore:
    """How one drop was named; shares of its rows, None where it has no such rows.

    Attributes:
        rows: rows with a photo of a design that can be read.
        new_right: photos of designs that reviews taught, named rightly.
        new_wrong: the same, named wrongly; the others are UNKNOWN.
        known_right: photos of designs known from the start, named rightly.
        unseen_unknown: photos of designs that the model was never taught, sent to UNKNOWN.
        junk_unknown: photos of something else, sent to UNKNOWN.
    """

    rows: int
    new_right: float | None
    new_wrong: float | None
    known_right: float | None
    unseen_unknown: float | None
    junk_unknown: float | None


def score_drop(layout: Layout, truth_csv: Path, drop: str, *, taught: tuple[str, ...]) -> DropScore:
    """Compare the names of one drop with what was drawn.

    Args:
        layout: the data directory.
        truth_csv: what was drawn.
        drop: the drop, as the table `drops` calls it.
        taught: designs that were named in reviews.
    """
    rows = rows_with_truth(layout, truth_csv)
    rows = rows[(rows["drop"] == drop) & rows["image_id"].notna()]
    learned = set(taught) & set(load_card(layout).classes)
    unseen, final = rows["kind"] == "unseen", rows["final_prediction"]
    new = unseen & rows["design"].isin(taught)
    right = final == rows["design"]
    unknown = final == FinalLabel.UNKNOWN
    return DropScore(
        rows=int((unseen | (rows["kind"] == "known")).sum()),
        new_right=_share(right[new]),
        new_wrong=_share(~right[new] & ~unknown[new]),
        known_right=_share(right[rows["kind"] == "known"]),
        unseen_unknown=_share(unknown[unseen & ~rows["design"].isin(learned)]),
        junk_unknown=_share((final.isin([FinalLabel.UNKNOWN, FinalLabel.DARK]))[rows["kind"] == "junk"]),
    )


def _share(flags: pd.Series) -> float | None:
    return float(flags.mean()) if len(flags) else None
