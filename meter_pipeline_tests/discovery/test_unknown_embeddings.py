"""From features to the table of UNKNOWN photos: single views follow their photos where the set is small enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.discovery import unknown_embeddings
from meter_pipeline.discovery.unknown_embeddings import collect_unknown
from meter_pipeline.storage.lake import vectors
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, IMAGE_FEATURES, UNKNOWN_EMBEDDINGS

VIEWS = {"whole_embedding": [0.0, 3.0], "close_embedding": [4.0, 0.0]}


def put_features(layout: Layout, *image_ids: str) -> None:
    both = {"logits": [1.0], "embedding": [1.0, 2.0], "pretrained_embedding": [2.0, 1.0], "colours": [1.0]}
    rows = [{"image_id": name, "model_version": "m", "preprocess_id": "p", **both, **VIEWS} for name in image_ids]
    layout.lake.append(IMAGE_FEATURES, pa.Table.from_pylist(rows, schema=IMAGE_FEATURES.schema))


def collected(layout: Layout, *image_ids: str) -> pa.Table:
    rows = [
        {"drop": "d", "position": place, "image_id": name, "model_version": "m", "final_prediction": "UNKNOWN"}
        for place, name in enumerate(image_ids)
    ]
    columns = list(BATCH_PREDICTIONS.columns)
    layout.lake.replace(BATCH_PREDICTIONS, pd.DataFrame(rows, columns=columns))
    assert collect_unknown(layout) == len(image_ids)
    return layout.lake.read(UNKNOWN_EMBEDDINGS)


def test_single_views_follow_their_photos(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "b", "a")
    table = collected(layout, "a", "b")
    for name, vector in VIEWS.items():
        assert np.array_equal(vectors(table, name), [vector] * 2)
    assert np.array_equal(vectors(table, "embedding"), [[1.0, 2.0]] * 2)


def test_of_too_many_photos_single_views_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path)
    put_features(layout, "a", "b")
    version = layout.lake.version(UNKNOWN_EMBEDDINGS)
    assert collected(layout, "a", "b")["single_views"].to_pylist() == [True, True]
    monkeypatch.setattr(unknown_embeddings, "MOST_WITH_VIEWS", 1)
    table = collected(layout, "a", "b")
    assert table["single_views"].to_pylist() == [False, False]
    assert [table[name].null_count for name in VIEWS] == [2, 2]
    assert layout.lake.version(UNKNOWN_EMBEDDINGS) != version


def test_no_unknown_photos_are_an_empty_table(tmp_path: Path) -> None:
    assert collected(Layout(tmp_path)).num_rows == 0
