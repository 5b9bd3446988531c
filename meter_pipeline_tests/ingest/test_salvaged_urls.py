"""The table of fetched URLs is lost, and so may be the servers: photos and predictions still say what it held."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.batches.batch_predictions import predict_rows
from meter_pipeline.ingest.salvaged_urls import restore_urls
from meter_pipeline.photos.store import store
from meter_pipeline.recognition.decision import decision_table
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, URL_IMAGES
from meter_pipeline_tests.support.fault_server import PHOTO

ROWS = (
    ("https://host/ok.jpg", None),
    ("https://host/gone.jpg", None),
    ("https://host/silent.jpg", None),
    ("not a URL", "not a URL"),
    ("https://host/new.jpg", None),
)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    photo = store(layout, PHOTO)
    fetched = pd.DataFrame(
        [
            {"image_url": ROWS[0][0], "outcome": "ok", **photo.columns(), "notes": "turned by EXIF"},
            {"image_url": ROWS[1][0], "outcome": "not_found", "reason": "404 Not Found: gone."},
            {"image_url": ROWS[2][0], "outcome": "not_an_image"},
        ],
        columns=list(URL_IMAGES.columns),
    ).astype(object)
    sheet = pd.DataFrame(
        [
            {"drop": "may", "position": n, "image_url": url, "cells_position": n, "reason": reason}
            for n, (url, reason) in enumerate(ROWS)
        ],
        columns=list(DROP_ROWS.columns),
    ).astype(object)
    layout.lake.replace(URL_IMAGES, fetched)
    predictions = predict_rows(sheet, fetched, decision_table([]))
    # Nothing is decided here, so the photo's row is an ERROR with the photo's id: as of one that no network took.
    layout.lake.replace(BATCH_PREDICTIONS, predictions)
    before = layout.lake.version(URL_IMAGES)
    for shard in layout.lake.shard_files(URL_IMAGES.name):
        shard.write_bytes(shard.read_bytes()[:100])
    assert restore_urls(layout) == 3
    assert layout.lake.version(URL_IMAGES) == before
    assert not layout.lake.damage(URL_IMAGES)
    rows = layout.lake.frame(URL_IMAGES).set_index("image_url")
    assert rows.loc[ROWS[0][0], ["notes", "image_id", "sharpness"]].tolist() == [
        "turned by EXIF",
        photo.image_id,
        photo.quality.sharpness,
    ]
    assert rows.loc[ROWS[1][0], ["outcome", "reason"]].tolist() == ["not_found", "404 Not Found: gone."]
    assert pd.isna(rows.loc[ROWS[2][0], "reason"])
    assert restore_urls(layout) == 0
