"""The lake: whole or not at all, and a version that says what the rows say."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.lake import SHARDS_BEFORE_COMPACTION, SMALL_SHARD_ROWS, Lake
from meter_pipeline.storage.table_rows import vector_column, vectors
from meter_pipeline.storage.tables import ALL_TABLES, INT, STRING, UNKNOWN_EMBEDDINGS, URL_IMAGES, Column, TableSpec
from meter_pipeline_tests.support.lake_writer import CLUSTERS, WRITTEN_ROWS, start_writer

ROWS = st.lists(
    st.tuples(st.text(max_size=8), st.integers(-1, 50), st.floats(0, 1) | st.none()),
    unique_by=lambda row: row[0],
    max_size=12,
)


def clusters(rows: list[tuple[str, int, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "cluster_id", "membership"])


@given(rows=ROWS, cut=st.integers(0, 12), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_version_is_the_same_in_any_order_and_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, float | None]], cut: int, seed: int
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    whole = lake.replace(CLUSTERS, clusters(rows))
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    lake.replace(CLUSTERS, clusters(shuffled[:cut]))
    assert lake.append(CLUSTERS, clusters(shuffled[cut:])) == whole


@given(rows=ROWS.filter(bool))
@settings(max_examples=25, deadline=None)
def test_version_changes_with_a_value_and_round_trips(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, float | None]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    before = lake.replace(CLUSTERS, clusters(rows))
    changed = [(rows[0][0], rows[0][1] + 1, rows[0][2]), *rows[1:]]
    assert lake.replace(CLUSTERS, clusters(changed)) != before
    assert lake.read(CLUSTERS).to_pylist() == [
        dict(zip(("image_id", "cluster_id", "membership"), row, strict=True)) for row in changed
    ]


def test_volatile_columns_make_no_new_version(tmp_path: Path) -> None:
    def fetched(attempts: int) -> pd.DataFrame:
        row: dict[str, object] = dict.fromkeys(URL_IMAGES.columns)
        return pd.DataFrame([{**row, "image_url": "http://h/1.jpg", "outcome": "ok", "attempts": attempts}])

    lake = Lake(tmp_path)
    assert lake.replace(URL_IMAGES, fetched(1)) == lake.replace(URL_IMAGES, fetched(3))
    assert lake.frame(URL_IMAGES)["attempts"].tolist() == [3]


def test_upsert_takes_the_place_of_rows_with_the_same_key(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(CLUSTERS, clusters([("a", 0, 0.5), ("b", 1, 0.5)]))
    lake.upsert(CLUSTERS, clusters([("b", 7, 1.0), ("c", 2, 1.0)]))
    assert {row["image_id"]: row["cluster_id"] for row in lake.read(CLUSTERS).to_pylist()} == {
        "a": 0,
        "b": 7,
        "c": 2,
    }


def test_a_table_never_written_is_empty_with_its_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "nothing here")
    for spec in ALL_TABLES:
        assert lake.read(spec).column_names == list(spec.columns)
        assert lake.count(spec) == 0
        assert not lake.exists(spec)
    assert not (tmp_path / "nothing here").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pd.DataFrame({"image_id": ["a"], "cluster_id": [1]}), "missing \\['membership'\\]"),
        (clusters([("a", 1, 0.5), ("a", 2, 0.5)]), "share the key"),
        (pd.DataFrame({"image_id": ["a"], "cluster_id": ["many"], "membership": [0.1]}), "do not fit"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_the_table_stays(tmp_path: Path, rows: pd.DataFrame, message: str) -> None:
    lake = Lake(tmp_path)
    before = lake.replace(CLUSTERS, clusters([("old", 3, 1.0)]))
    with pytest.raises(MeterError, match=message):
        lake.replace(CLUSTERS, rows)
    assert lake.version(CLUSTERS) == before


def test_many_small_appends_are_compacted_and_lose_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    count = SHARDS_BEFORE_COMPACTION + 10
    for i in range(count):
        lake.append(CLUSTERS, clusters([(f"{i:03d}", i, 1.0)]))
    assert lake.read(CLUSTERS)["cluster_id"].to_pylist() == list(range(count))
    assert len(lake.shard_files("clusters")) < SHARDS_BEFORE_COMPACTION


def test_vectors_of_rows_without_one_are_refused_rather_than_shifted() -> None:
    table = pa.table({"embedding": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32()))})
    with pytest.raises(ValueError, match="1 of 3 rows have no embedding"):
        vectors(table, "embedding")


@given(rows=st.integers(0, 5), dimensions=st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_vectors_round_trip_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, rows: int, dimensions: int) -> None:
    matrix = np.random.default_rng(rows).normal(size=(rows, dimensions)).astype(np.float32)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    names = [f"{i}" for i in range(rows)]
    column = vector_column(matrix)
    lake.append(
        UNKNOWN_EMBEDDINGS,
        pa.table({"image_id": pa.array(names, pa.string()), "model_version": pa.array(["m"] * rows, pa.string())})
        .append_column("embedding", column)
        .append_column("pretrained_embedding", column)
        .append_column("printed", column)
        .append_column("print_hash", pa.nulls(rows, pa.string())),
    )
    back = vectors(lake.read(UNKNOWN_EMBEDDINGS), "embedding")
    assert back.shape == (matrix.shape if rows else (0, 0))
    assert np.array_equal(back, matrix) or rows == 0


def test_a_full_shard_is_not_rewritten_by_later_appends(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(CLUSTERS, clusters([(f"big{i}", i, 1.0) for i in range(SMALL_SHARD_ROWS)]))
    (big,) = lake.shard_files("clusters")
    for i in range(SHARDS_BEFORE_COMPACTION + 5):
        lake.append(CLUSTERS, clusters([(f"{i}", i, 1.0)]))
    assert big in lake.shard_files("clusters")
    assert lake.count(CLUSTERS) == SMALL_SHARD_ROWS + SHARDS_BEFORE_COMPACTION + 5


def test_rows_can_be_read_by_condition(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(CLUSTERS, clusters([("a", 0, 0.5), ("b", 1, 0.5)]))
    assert lake.frame(CLUSTERS, ["image_id"], where=pc.field("cluster_id") == 1)["image_id"].tolist() == ["b"]


def test_a_reader_beside_a_writer_never_sees_half_a_table(tmp_path: Path) -> None:
    """A writer swaps whole tables as fast as it can; every read is one of them."""
    process = start_writer(tmp_path)
    lake = Lake(tmp_path)
    try:
        deadline = time.monotonic() + 30
        seen: set[int] = set()
        while len(seen) < 5 and time.monotonic() < deadline:
            table = lake.read(CLUSTERS)
            if table.num_rows:
                assert table.num_rows == WRITTEN_ROWS
                turns = set(table["cluster_id"].to_pylist())
                assert len(turns) == 1
                seen |= turns
        assert len(seen) >= 5
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    # What a killed writer leaves behind hinders nobody.
    assert lake.read(CLUSTERS).num_rows == WRITTEN_ROWS
    lake.replace(CLUSTERS, clusters([("a", 1, 1.0)]))
    assert lake.count(CLUSTERS) == 1


def test_a_column_added_later_is_null_in_what_was_written_before(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace(CLUSTERS, clusters([("a", 1, 0.5)]))
    note, size = Column(STRING, "A note."), Column(INT, "A size.")
    wider = TableSpec("clusters", "Two more.", {"note": note, **CLUSTERS.columns, "size": size}, key=("image_id",))
    assert lake.read(wider).to_pylist() == [
        {"note": None, "image_id": "a", "cluster_id": 1, "membership": 0.5, "size": None}
    ]
    lake.append(wider, clusters([("b", 2, None)]).assign(note="new", size=3))
    assert lake.read(wider, ["size", "image_id"]).to_pylist() == [
        {"size": None, "image_id": "a"},
        {"size": 3, "image_id": "b"},
    ]
