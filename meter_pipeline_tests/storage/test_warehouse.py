from pathlib import Path

import pandas as pd
import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.storage.damage import DamagedTableError
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import ALL_TABLES, BATCH_PREDICTIONS, CLUSTER_EVENTS, CLUSTER_SUMMARY, DROPS
from meter_pipeline.storage.warehouse import EMPTY_SHARD, build_warehouse, query


def event(cluster_id: int, count: int = 3) -> dict[str, object]:
    return {"revision": 1, "cluster_id": cluster_id, "event": "new", "from_clusters": "", "count": count}


@pytest.fixture(params=["data", "my data's [2] photos=1"])
def layout(tmp_path: Path, request: pytest.FixtureRequest) -> Layout:
    return Layout(tmp_path / request.param)


def test_a_table_without_rows_is_an_empty_typed_view(layout: Layout) -> None:
    counts = build_warehouse(layout)
    assert set(counts) >= {spec.name for spec in ALL_TABLES}
    assert set(counts.values()) == {0}
    types = query(layout, "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'unknown_embeddings'")
    assert dict(zip(types["column_name"], types["data_type"], strict=True)) == {
        "image_id": "VARCHAR",
        "model_version": "VARCHAR",
        "embedding": "FLOAT[]",
        "pretrained_embedding": "FLOAT[]",
        "printed": "FLOAT[]",
        "print_hash": "VARCHAR",
    }
    for name in counts:
        assert query(layout, f'SELECT * FROM "{name}"').empty


def test_new_shards_show_without_a_write_and_replaced_ones_never(layout: Layout) -> None:
    build_warehouse(layout)
    content = layout.warehouse.read_bytes()
    layout.lake.replace(CLUSTER_EVENTS, pd.DataFrame([event(0)]))
    layout.lake.append(CLUSTER_EVENTS, pd.DataFrame([event(1)]))
    assert query(layout, "SELECT cluster_id FROM cluster_events ORDER BY 1")["cluster_id"].tolist() == [0, 1]
    layout.lake.replace(CLUSTER_EVENTS, pd.DataFrame([event(5, count=9)]))
    assert query(layout, "SELECT cluster_id, count FROM cluster_events").to_numpy().tolist() == [[5, 9]]
    layout.lake.replace(CLUSTER_EVENTS, pd.DataFrame([], columns=list(CLUSTER_EVENTS.columns)))
    assert query(layout, "SELECT * FROM cluster_events").empty
    assert layout.warehouse.read_bytes() == content


def test_what_rots_is_mended_or_refused_not_shown(layout: Layout) -> None:
    layout.lake.append(CLUSTER_EVENTS, pd.DataFrame([event(0)]))
    layout.lake.append(CLUSTER_EVENTS, pd.DataFrame([event(1)]))
    build_warehouse(layout)
    manifest = layout.lake.manifest("cluster_events")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"file"', '"fire"'), encoding="utf-8")
    (manifest.with_name(EMPTY_SHARD)).write_bytes(b"PAR1")
    build_warehouse(layout)
    asked = 'SELECT count(*) AS n FROM "cluster_events"'
    assert query(layout, asked)["n"].tolist() == [2]
    shard = layout.lake.shard_files("cluster_events")[0]
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(DamagedTableError):
        query(layout, asked)
    assert query(layout, "SELECT count(*) AS n FROM drops")["n"].tolist() == [0]


def test_views_that_are_right_are_not_written_again_and_old_ones_are(layout: Layout) -> None:
    build_warehouse(layout)
    before = layout.warehouse.stat().st_mtime_ns
    build_warehouse(layout)
    assert layout.warehouse.stat().st_mtime_ns == before
    layout.warehouse.write_bytes(b"not a database")
    build_warehouse(layout)
    assert len(query(layout, "SHOW TABLES")) > len(ALL_TABLES)
    assert [path.name for path in layout.root.iterdir() if path.name != "lake"] == ["warehouse.duckdb"]


def test_it_is_open_for_many_readers_and_the_lake_goes_on(tmp_path: Path) -> None:
    import duckdb

    layout = Layout(tmp_path)
    build_warehouse(layout)
    with duckdb.connect(layout.warehouse, read_only=True) as reader:
        Lake(layout.root / "lake").append(CLUSTER_EVENTS, pd.DataFrame([event(0)]))
        assert reader.execute("SELECT count(*) FROM cluster_events").fetchone() == (1,)
        assert query(layout, "SELECT count(*) AS n FROM cluster_events")["n"].tolist() == [1]


def test_descriptions_are_there_to_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    build_warehouse(layout)
    comments = query(layout, "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").set_index("view_name")
    assert comments.loc["drops", "comment"] == f"{DROPS.description} Key: drop."
    columns = query(layout, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
    found = {(view, column): comment for view, column, comment in columns.itertuples(index=False)}
    for spec in ALL_TABLES:
        for name, column in spec.columns.items():
            assert found[spec.name, name] == column.description


def test_views_for_people(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    labels = ["UNKNOWN", "A", "A", "ERROR"]
    rows = pd.DataFrame({"drop": "march", "position": range(4), "final_prediction": labels, "top1_confidence": 0.95})
    layout.lake.replace(BATCH_PREDICTIONS, rows.reindex(columns=list(BATCH_PREDICTIONS.columns)))
    clusters = pd.DataFrame({"cluster_id": [-1, 0, 12345], "count": [50, 4, 8]})
    layout.lake.replace(CLUSTER_SUMMARY, clusters.reindex(columns=list(CLUSTER_SUMMARY.columns)))
    counts = build_warehouse(layout)
    assert (counts["predictions_summary"], counts["confident_but_unknown"], counts["clusters"]) == (3, 1, 3)
    summary = query(layout, "SELECT final_prediction, rows, percent FROM predictions_summary")
    assert summary.to_numpy().tolist() == [["A", 2, 50.0], ["ERROR", 1, 25.0], ["UNKNOWN", 1, 25.0]]
    folders = query(layout, "SELECT folder FROM clusters")["folder"].tolist()
    assert folders == ["clusters/cluster_12345", "clusters/cluster_0000", "clusters/noise"]


def test_problems_say_what_to_do(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(MeterError, match=r"no warehouse yet.*meter update"):
        query(layout, "SELECT 1")
    build_warehouse(layout)
    with pytest.raises(MeterError, match=r"(?s)no_such_view.*SHOW TABLES"):
        query(layout, "SELECT * FROM no_such_view")
    with pytest.raises(MeterError, match="read-only"):
        query(layout, "CREATE TABLE t AS SELECT 1")
