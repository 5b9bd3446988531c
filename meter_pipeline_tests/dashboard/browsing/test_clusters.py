"""Clusters as cards and opened: with what an older table lacks, and with what a newer one has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meter_pipeline.dashboard.browsing.clusters import Likeness, list_clusters, map_points, open_cluster
from meter_pipeline.storage.files import write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import CLUSTER_SUMMARY, UNKNOWN_CLUSTERS, UNKNOWN_METADATA, TableSpec

MEMBERS = [("a", 0, 1.0), ("b", 0, 0.9), ("c", 0, 0.8), ("d", 1, 1.0), ("e", 1, 1.0), ("f", -1, 0.0)]
GUESSES = {
    "a": ("X", "Y", "Z"),
    "b": ("X", "Z", "Y"),
    "c": ("Y", "X", "Z"),
    "d": ("Z", "X", "Y"),
    "e": ("Z", "Y", None),
}


def frame(spec: TableSpec, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).reindex(columns=list(spec.columns))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    lake = Layout(tmp_path).lake
    members = [{"image_id": i, "cluster_id": c, "membership": m, "revision": 1} for i, c, m in MEMBERS]
    lake.replace(UNKNOWN_CLUSTERS, frame(UNKNOWN_CLUSTERS, members))
    metadata = [
        {"image_id": i, "image_url": f"https://host/{i}", "reason": "why"}
        | {f"top{k}_class": name for k, name in enumerate(names, 1)}
        | {f"top{k}_confidence": 0.5 / k for k in (1, 2, 3)}
        for i, names in GUESSES.items()
    ]
    lake.replace(UNKNOWN_METADATA, frame(UNKNOWN_METADATA, metadata))
    summary = [(-1, 1, None), (0, 3, "b"), (1, 2, "d")]
    rows = [{"cluster_id": c, "count": n, "mean_membership": 0.9, "representative": r} for c, n, r in summary]
    lake.replace(CLUSTER_SUMMARY, frame(CLUSTER_SUMMARY, rows))
    return Layout(tmp_path)


def add_column(layout: Layout, table: str, name: str, values: dict[Any, Any], key: str) -> None:
    """Put a column into the table's shard, as a later version writes it."""
    (shard,) = layout.lake.shard_files(table)
    rows = pq.read_table(shard)
    if name in rows.column_names:
        rows = rows.drop_columns([name])
    pq.write_table(rows.append_column(name, pa.array([values[k] for k in rows[key].to_pylist()])), shard)


def test_cards_are_ordered_by_size_with_noise_last_and_say_what_they_look_like(layout: Layout) -> None:
    first, second, noise = list_clusters(layout, examples=2)
    assert [first.cluster_id, second.cluster_id, noise.cluster_id] == [0, 1, -1]
    assert first.examples == ["b", "a"]  # the representative first
    assert first.likenesses[0] == Likeness("X", pytest.approx(2 / 3), pytest.approx(1.0))  # type: ignore[arg-type]
    assert [like.label for like in second.likenesses] == ["Z", "Y", "X"]
    assert (noise.likenesses, noise.examples) == ([], ["f"])


def test_without_the_newer_columns_every_photo_stands_alone(layout: Layout) -> None:
    assert list_clusters(layout)[0].meter_share is None
    members = open_cluster(layout, 0)
    assert [member.image_id for member in members] == ["a", "b", "c"]
    assert members[0].top3 == [("X", 0.5), ("Y", 0.25), ("Z", 0.5 / 3)]
    assert open_cluster(layout, 1)[1].top3 == [("Z", 0.5), ("Y", 0.25)]
    assert map_points(layout) == []


def test_photos_of_one_meter_are_folded_and_junk_comes_after_meters(layout: Layout) -> None:
    add_column(
        layout,
        "unknown_clusters",
        "same_meter",
        {**dict.fromkeys("abc", "m1"), "d": "m2", "e": None, "f": None},
        "image_id",
    )
    add_column(layout, "cluster_summary", "meter_share", {-1: None, 0: 0.1, 1: 0.9}, "cluster_id")
    first, second, _noise = list_clusters(layout)
    assert [first.cluster_id, second.cluster_id] == [1, 0]  # the larger one is junk
    assert (first.meters, second.meters) == (2, 1)
    assert second.examples == ["b", "a"]
    (member,) = open_cluster(layout, 0)
    assert (member.image_id, member.others) == ("a", ["b", "c"])


def test_the_map_is_read_where_there_is_one(layout: Layout) -> None:
    folder = layout.lake.root / "unknown_map"
    folder.mkdir()
    pq.write_table(pa.table({"image_id": ["a", "f"], "x": [0.5, 1.0], "y": [2.0, 3.0]}), folder / "s.parquet")
    write_json(folder / "manifest.json", {"shards": [{"file": "s.parquet", "rows": 2, "digest": "0"}]})
    first, second = map_points(layout)
    assert (first.image_id, first.cluster_id, first.x, first.y, first.top1_class) == ("a", 0, 0.5, 2.0, "X")
    assert (second.cluster_id, second.top1_class) == (-1, None)


def test_no_tables_no_clusters(tmp_path: Path) -> None:
    assert list_clusters(Layout(tmp_path)) == []
