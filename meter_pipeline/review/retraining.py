"""When a training is due by itself: enough photos were named since the last one, and nobody is in the middle of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Promotion
from meter_pipeline.recognition.model_card import challenger_version, load_card
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, PROMOTED_IMAGES

AT_MOST_EVERY = timedelta(days=1)
STILL_DECIDING = timedelta(minutes=10)
"""A person whose last decision is not older is taken to go on deciding."""


@dataclass(frozen=True)
class Standing:
    """What has changed since the last training.

    Attributes:
        new_photos: promoted photos that are large enough a class to be learned, and not in the data set trained on.
        ready_classes: classes among them that the last trained model does not know.
        last_training: when one last ended; None: never.
        last_decision: when a decision was last written here, by this machine's clock; None: never.
    """

    new_photos: int
    ready_classes: tuple[str, ...]
    last_training: datetime | None
    last_decision: datetime | None


@dataclass(frozen=True)
class Due:
    """Whether to train now, and why or why not, in a sentence."""

    is_due: bool
    reason: str


def look(layout: Layout) -> Standing:
    """Return what has changed since the last training."""
    promoted = layout.lake.frame(PROMOTED_IMAGES)
    promoted = promoted[promoted["status"] == Promotion.PROMOTED]
    learned = promoted[~waits(promoted)]
    trained_on = set(layout.lake.frame(DATASET_SPLIT, ["image_id"])["image_id"])
    new = learned[~learned["image_id"].isin(trained_on)]
    return Standing(
        new_photos=len(new),
        ready_classes=tuple(sorted(set(new["label"]) - _classes_known(layout))),
        last_training=_written_at([layout.challenger]),
        last_decision=_written_at(layout.decisions.glob("*/*.json")),
    )


def due(standing: Standing, *, from_photos: int, last_asked: datetime | None, now: datetime) -> Due:
    """Say whether a training is due.

    Args:
        standing: what has changed.
        from_photos: new photos from which on it is worth a training; a class that became large enough always is.
        last_asked: when the rule last started one, whatever became of it; None: never.
        now: the time.
    """
    if standing.new_photos < from_photos and not standing.ready_classes:
        return Due(False, f"{standing.new_photos} new photos of {from_photos}, and no class has become large enough.")
    last = max((when for when in (last_asked, standing.last_training) if when is not None), default=None)
    if last is not None and now - last < AT_MOST_EVERY:
        return Due(False, f"The last training was at {last:%Y-%m-%d %H:%M} UTC; the next is a day later.")
    if standing.last_decision is not None and now - standing.last_decision < STILL_DECIDING:
        return Due(False, "Somebody decided on photos in the last ten minutes; the training waits until that is done.")
    classes = f"; large enough now: {', '.join(standing.ready_classes)}" if standing.ready_classes else ""
    return Due(True, f"{standing.new_photos} named photos were not trained on{classes}.")


def waits(promoted: pd.DataFrame) -> pd.Series:
    """Return whether the class of each promoted photo still waits for more meters."""
    needed = promoted["class_meters_needed"]
    return needed.notna() & (promoted["class_meters"] < needed)


def _classes_known(layout: Layout) -> set[str]:
    try:
        return set(load_card(layout, challenger_version(layout)).classes)
    except MeterError:
        return set()


def _written_at(paths: Iterable[Path]) -> datetime | None:
    times = [path.stat().st_mtime for path in paths if path.exists()]
    return datetime.fromtimestamp(max(times), UTC) if times else None
