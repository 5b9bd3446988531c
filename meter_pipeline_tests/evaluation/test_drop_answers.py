"""Which photos of drops are named again: those of the newest drop first, the same ones each time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.evaluation.drop_answers import photos_of_last_drops
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, URL_IMAGES


def test_the_drop_that_was_fetched_last_comes_first(tmp_path: Path) -> None:
    """Its name says nothing of when it came; a photo that is in both is one of the newer."""
    layout = Layout(tmp_path)
    rows = [("a_new", "u3"), ("a_new", "u2"), ("a_new", "lost"), ("z_old", "u1"), ("z_old", "u2"), ("a_new", "bad")]
    drop_rows = pd.DataFrame(rows, columns=["drop", "image_url"]).assign(position=range(len(rows)))
    drop_rows["reason"] = [None] * 5 + ["not a URL"]
    times = {"u1": "2026-01-01T00:00:00", "u2": "2026-01-01T00:00:01", "u3": "2026-02-01T00:00:00"}
    urls = pd.DataFrame(
        [{"image_url": url, "image_id": f"id-{url}", "fetched_at": at} for url, at in times.items()]
        + [{"image_url": "lost", "image_id": None, "fetched_at": "2026-02-01T00:00:00"}]
        + [{"image_url": "bad", "image_id": "id-bad", "fetched_at": "2026-03-01T00:00:00"}]
    )
    layout.lake.replace(DROP_ROWS, drop_rows.reindex(columns=list(DROP_ROWS.columns)))
    layout.lake.replace(URL_IMAGES, urls.reindex(columns=list(URL_IMAGES.columns)))
    assert photos_of_last_drops(layout) == ["id-u2", "id-u3", "id-u1"]


def test_without_a_drop_there_are_none(tmp_path: Path) -> None:
    assert photos_of_last_drops(Layout(tmp_path)) == []
