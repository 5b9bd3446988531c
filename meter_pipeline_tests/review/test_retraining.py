"""A training is due by itself for enough new photos or a class that is ready, once a day, when nobody is deciding."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.recognition.model_card import set_challenger
from meter_pipeline.review.retraining import Standing, due, look
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, PROMOTED_IMAGES

NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)
ENOUGH = Standing(new_photos=20, ready_classes=(), last_training=None, last_decision=NOW - timedelta(hours=1))


def is_due(standing: Standing, *, from_photos: int = 20, last_asked: datetime | None = None) -> bool:
    return due(standing, from_photos=from_photos, last_asked=last_asked, now=NOW).is_due


def test_enough_photos_or_a_class_that_became_large_enough() -> None:
    assert is_due(ENOUGH)
    assert not is_due(replace(ENOUGH, new_photos=19))
    assert is_due(replace(ENOUGH, new_photos=3, ready_classes=("NEW",)))


@pytest.mark.parametrize("hours", [1, 23])
def test_at_most_once_a_day_also_if_the_last_one_failed(hours: int) -> None:
    recently = NOW - timedelta(hours=hours)
    assert not is_due(replace(ENOUGH, last_training=recently))
    assert not is_due(ENOUGH, last_asked=recently)
    assert is_due(replace(ENOUGH, last_training=NOW - timedelta(hours=25)), last_asked=NOW - timedelta(days=2))


def test_not_while_somebody_decides() -> None:
    answer = due(replace(ENOUGH, last_decision=NOW - timedelta(minutes=9)), from_photos=20, last_asked=None, now=NOW)
    assert not answer.is_due
    assert "ten minutes" in answer.reason
    assert is_due(replace(ENOUGH, last_decision=NOW - timedelta(minutes=11)))


def promoted(
    image_id: str, label: str, *, meters: int, needed: int | None, status: str = "promoted"
) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(PROMOTED_IMAGES.columns)
    return row | {
        "image_id": image_id,
        "label": label,
        "status": status,
        "class_meters": meters,
        "class_meters_needed": needed,
    }


def test_photos_that_wait_or_were_trained_on_or_are_disputed_do_not_count(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    rows = [
        promoted("a1", "READY", meters=3, needed=3),
        promoted("a2", "OLD", meters=1, needed=None),
        promoted("a3", "OLD", meters=1, needed=None),
        promoted("a4", "SMALL", meters=2, needed=3),
        promoted("a5", "OLD", meters=1, needed=None, status="disputed"),
    ]
    layout.lake.replace(PROMOTED_IMAGES, pd.DataFrame(rows))
    split = pd.DataFrame([dict.fromkeys(DATASET_SPLIT.columns) | {"image_id": "a3", "label": "OLD", "split": "train"}])
    layout.lake.replace(DATASET_SPLIT, split)
    decision = layout.decisions / "2026-11" / "x.json"
    decision.parent.mkdir(parents=True)
    decision.write_text("{}", encoding="utf-8")
    os.utime(decision, (NOW.timestamp(), NOW.timestamp()))
    set_challenger(layout, "0001-gone")
    standing = look(layout)
    assert standing.new_photos == 2
    assert "READY" in standing.ready_classes
    assert "SMALL" not in standing.ready_classes
    assert standing.last_decision == NOW
    assert standing.last_training is not None
