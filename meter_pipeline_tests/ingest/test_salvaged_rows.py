"""Rows of spreadsheets are lost, and so may be the spreadsheets: the predictions still say which rows there were."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from meter_pipeline.batches.batch_predictions import predict_rows
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.salvaged_rows import restore_rows
from meter_pipeline.recognition.decision import decision_table
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, URL_IMAGES

OF_A_ROW = ["drop", "position", "sheet", "row_number", "image_url", "cells_position", "reason"]


def test_rows_come_back_and_their_other_columns_with_the_file(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.drops.mkdir()
    gone, there = layout.drops / "gone.csv", layout.drops / "there.csv"
    gone.write_text("url,meter\nhttp://p.example/1.jpg,7\nnothing,8\n", encoding="utf-8")
    there.write_text("url,meter\nhttp://p.example/2.jpg,9\n", encoding="utf-8")
    take_in_drops(layout)
    before = layout.lake.frame(DROP_ROWS)
    layout.lake.replace(
        BATCH_PREDICTIONS, predict_rows(before, pd.DataFrame(columns=list(URL_IMAGES.columns)), decision_table([]))
    )
    layout.batch_reports.mkdir(parents=True)
    for name in ("gone.csv", "there.csv"):
        (layout.batch_reports / name).write_text("with the other columns", encoding="utf-8")
    content = gone.read_bytes()
    gone.unlink()
    for shard in layout.lake.shard_files(DROP_ROWS.name):
        shard.write_bytes(b"")
    assert restore_rows(layout) == 3
    restored = layout.lake.frame(DROP_ROWS)
    assert restored[OF_A_ROW].astype(object).equals(before[OF_A_ROW].astype(object))
    assert restored["other_columns"].isna().all()
    assert [path.name for path in layout.set_aside.rglob("*.csv")] == ["gone.csv"]
    assert restore_rows(layout) == 0
    take_in_drops(layout)
    assert layout.lake.frame(DROP_ROWS)["other_columns"].notna().tolist() == [False, False, True]
    gone.write_bytes(content)
    take_in_drops(layout)
    assert layout.lake.frame(DROP_ROWS).equals(before)
