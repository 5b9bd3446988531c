"""Predictions and exports of a drop of which nothing changed are neither made nor written nor read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.batches import batch_predictions
from meter_pipeline.batches.batch_predictions import name_rows, named_wrongly
from meter_pipeline.batches.prediction_exports import export_drops
from meter_pipeline.photos.photo_files import LOST
from meter_pipeline.recognition.decision import Decision
from meter_pipeline.recognition.features import Features
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    DROPS,
    IMAGE_FEATURES,
    REVIEWED_IMAGES,
    URL_IMAGES,
    TableSpec,
)
from meter_pipeline_tests.support.decisions import decided
from meter_pipeline_tests.support.exports import read_export

RULES = DecisionSettings()
SHEETS = {"may": ["u1", "u2"], "june": ["u3"], "july": ["u1"]}
DROPS_READ = pd.DataFrame({"drop": [*SHEETS], "file_name": [*SHEETS], "status": "read"}).astype(object)


def write(layout: Layout, spec: TableSpec, rows: list[dict[str, object]]) -> None:
    frame = pd.DataFrame([dict.fromkeys(spec.columns) | row for row in rows], columns=list(spec.columns))
    layout.lake.replace(spec, frame.astype(object))


def write_sheets(layout: Layout, sheets: dict[str, list[str]]) -> None:
    parts = [
        [{"drop": drop, "position": number, "image_url": url, "other_columns": '{"Account": "7"}'}]
        for drop, urls in sheets.items()
        for number, url in enumerate(urls)
    ]
    write(layout, DROP_ROWS, [row for part in parts for row in part])


def write_features(layout: Layout, **reasons: str) -> None:
    vector = [0.5, 0.5]
    rows = [
        {"image_id": f"p{number}", "model_version": "m1", "reason": reasons.get(f"p{number}")}
        | ({} if f"p{number}" in reasons else dict.fromkeys(_VECTORS, vector))
        for number in range(1, 5)
    ]
    table = pa.table({name: pa.array([row.get(name) for row in rows], c.type) for name, c in _COLUMNS}, _SCHEMA)
    layout.lake.replace(IMAGE_FEATURES, table)


_COLUMNS, _SCHEMA = list(IMAGE_FEATURES.columns.items()), IMAGE_FEATURES.schema
_VECTORS = ("logits", "embedding", "pretrained_embedding", "colours")


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is decided on each photo."""
    said = {"p1": "LT1", "p2": "LT2", "p3": "LT3", "p4": "LT4"}

    def decide(model: object, features: Features, *_: object) -> Sequence[Decision]:
        return [decided(image_id, {said[image_id]: 0.9}) for image_id in features.image_ids]

    monkeypatch.setattr(batch_predictions, "load_model", lambda _: SimpleNamespace(version="m1"))
    monkeypatch.setattr(batch_predictions, "decide", decide)
    return said


@pytest.fixture
def layout(tmp_path: Path, labels: dict[str, str]) -> Layout:
    layout = Layout(tmp_path)
    write_sheets(layout, SHEETS)
    write(layout, URL_IMAGES, [{"image_url": f"u{n}", "outcome": "ok", "image_id": f"p{n}"} for n in range(1, 5)])
    write(layout, DROPS, DROPS_READ.to_dict("records"))
    write(layout, REVIEWED_IMAGES, [])
    write_features(layout)
    return layout


def named(layout: Layout) -> dict[str, list[str]]:
    rows = layout.lake.frame(BATCH_PREDICTIONS).sort_values(["drop", "position"])
    return {str(drop): of_drop["final_prediction"].tolist() for drop, of_drop in rows.groupby("drop")}


def test_only_drops_of_which_something_changed_are_named_again(layout: Layout, labels: dict[str, str]) -> None:
    assert name_rows(layout, RULES).made == 4
    assert named(layout) == {"may": ["LT1", "LT2"], "june": ["LT3"], "july": ["LT1"]}
    manifest = layout.lake.manifest(BATCH_PREDICTIONS.name).read_bytes()
    assert name_rows(layout, RULES).made == 0
    assert layout.lake.manifest(BATCH_PREDICTIONS.name).read_bytes() == manifest, "nothing was written"
    labels["p3"] = "LT9"
    assert name_rows(layout, RULES).made == 1
    labels["p1"] = "LT8"
    assert name_rows(layout, RULES).made == 3
    write(layout, URL_IMAGES, [{"image_url": f"u{n}", "outcome": "ok", "image_id": f"p{n}"} for n in range(1, 4)])
    assert name_rows(layout, RULES).made == 0
    write_sheets(layout, {"may": ["u1", "u2", "u3"], "july": ["u1"]})
    found = name_rows(layout, RULES)
    assert (found.made, found.rows) == (3, 4)
    assert named(layout) == {"may": ["LT8", "LT2", "LT9"], "july": ["LT8"]}
    assert named_wrongly(layout.lake) == []


def test_what_is_kept_is_what_naming_all_gives(layout: Layout, labels: dict[str, str], monkeypatch) -> None:
    name_rows(layout, RULES)
    labels["p2"] = "LT7"
    name_rows(layout, RULES)
    kept = layout.lake.version(BATCH_PREDICTIONS)
    monkeypatch.setattr(batch_predictions, "ROWS_VERSION", "another")
    monkeypatch.setattr(batch_predictions, "PHOTOS_AT_A_TIME", 1)
    monkeypatch.setattr(batch_predictions, "ROWS_AT_A_TIME", 1)
    assert name_rows(layout, RULES).made == 4
    assert layout.lake.version(BATCH_PREDICTIONS) == kept


def test_a_lost_photo_keeps_its_answer_until_it_is_there_again(layout: Layout, labels: dict[str, str]) -> None:
    name_rows(layout, RULES)
    write_features(layout, p1=LOST)
    for _ in range(2):
        assert name_rows(layout, RULES).made == 3, "its drops are looked at each time"
        assert named(layout)["july"] == ["LT1"]
    labels["p1"] = "LT5"
    write_features(layout)
    name_rows(layout, RULES)
    assert named(layout)["july"] == ["LT5"]
    assert name_rows(layout, RULES).made == 0


def test_rows_without_prediction_or_drop_are_noticed_drop_by_drop(layout: Layout) -> None:
    name_rows(layout, RULES)
    lake = layout.lake
    lake.replace_parts(BATCH_PREDICTIONS, [], kept=["may", "june"])
    assert named_wrongly(lake) == ["july, row 1 of the drop: has no prediction."]
    name_rows(layout, RULES)
    write_sheets(layout, {"may": ["u1", "u2"], "june": ["u3"]})
    assert named_wrongly(lake) == ["july, row 1 of the drop: has a prediction, but is not in the drop."]


def test_exports_of_other_drops_are_not_read(layout: Layout, labels: dict[str, str], monkeypatch) -> None:
    name_rows(layout, RULES)
    read: list[str] = []
    read_parts = Lake.read_parts

    def counted(lake: Lake, spec: TableSpec, names: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
        read.extend(names if spec is BATCH_PREDICTIONS else [])
        return read_parts(lake, spec, names, columns)

    monkeypatch.setattr(Lake, "read_parts", counted)
    assert export_drops(layout).written == 3
    assert sorted(read) == ["july", "june", "may"]
    read.clear()
    assert export_drops(layout).written == 0
    assert read == []
    labels["p3"] = "LT9"
    name_rows(layout, RULES)
    assert export_drops(layout).written == 1
    assert read == ["june"]
    assert read_export(layout.batch_reports / "june.csv")["final_prediction"].tolist() == ["LT9"]
    read.clear()
    write(layout, REVIEWED_IMAGES, [{"image_id": "p1", "action": "name", "label": "LT1B"}])
    assert export_drops(layout).written == 2
    assert sorted(read) == ["july", "may"]
    assert read_export(layout.batch_reports / "may.csv")["reviewed_label"].tolist() == ["LT1B", ""]
    (layout.batch_reports / "may.xlsx").unlink()
    assert export_drops(layout).written == 1
    assert (layout.batch_reports / "may.xlsx").is_file()


def test_an_export_that_would_say_the_same_is_not_touched(layout: Layout) -> None:
    name_rows(layout, RULES)
    export_drops(layout)
    path = layout.batch_reports / "may.xlsx"
    before = path.stat().st_mtime_ns
    rows = layout.lake.frame(BATCH_PREDICTIONS).assign(guard_score=7.0)  # no column of the export
    layout.lake.replace(BATCH_PREDICTIONS, rows)
    assert export_drops(layout).written == 0
    assert path.stat().st_mtime_ns == before
