"""Clusters as cards and opened: their order, what they look like, photos of one meter folded, and the map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from meter_pipeline.dashboard.browsing.clusters import Likeness, MapPoint, list_clusters, open_cluster, read_map
from meter_pipeline.labels import NOISE
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import CLUSTER_SUMMARY, UNKNOWN_CLUSTERS, UNKNOWN_MAP, UNKNOWN_METADATA, TableSpec

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


def set_column(layout: Layout, spec: TableSpec, name: str, values: dict[Any, Any]) -> None:
    """Fill a column of a table, by key."""
    (key,) = spec.key
    rows = layout.lake.frame(spec)
    layout.lake.replace(spec, rows.assign(**{name: rows[key].map(values)}))


def test_cards_are_ordered_by_size_with_noise_last_and_say_what_they_look_like(layout: Layout) -> None:
    first, second, noise = list_clusters(layout, examples=2)
    assert [first.cluster_id, second.cluster_id, noise.cluster_id] == [0, 1, -1]
    assert first.examples == ["b", "a"]  # the representative first
    assert first.likenesses[0] == Likeness("X", pytest.approx(2 / 3), pytest.approx(1.0))  # type: ignore[arg-type]
    assert [like.label for like in second.likenesses] == ["Z", "Y", "X"]
    assert (noise.likenesses, noise.examples) == ([], ["f"])
    assert [card.name for card in (first, second, noise)] == ["cluster 0", "cluster 1", "noise"]


def test_photos_of_no_known_meter_stand_alone(layout: Layout) -> None:
    first = list_clusters(layout)[0]
    assert (first.meters, first.meter_share, first.hardly_meters) == (3, None, False)
    members = open_cluster(layout, 0)
    assert [member.image_id for member in members] == ["a", "b", "c"]
    assert members[0].top3 == [("X", 0.5), ("Y", 0.25), ("Z", 0.5 / 3)]
    assert open_cluster(layout, 1)[1].top3 == [("Z", 0.5), ("Y", 0.25)]


def test_photos_of_one_meter_are_folded_and_junk_comes_after_meters(layout: Layout) -> None:
    set_column(layout, UNKNOWN_CLUSTERS, "same_meter", {**dict.fromkeys("abc", "m1"), "d": "m2"})
    set_column(layout, CLUSTER_SUMMARY, "meter_share", {0: 0.1, 1: 0.9})
    first, second, _noise = list_clusters(layout)
    assert [first.cluster_id, second.cluster_id] == [1, 0]  # the larger one is junk
    assert (first.hardly_meters, second.hardly_meters) == (False, True)
    assert (first.meters, second.meters) == (2, 1)
    assert second.examples == ["b", "a"]
    (member,) = open_cluster(layout, 0)
    assert (member.image_id, member.others) == ("a", ["b", "c"])


def test_decided_photos_do_not_count_and_a_cluster_of_them_is_decided(layout: Layout) -> None:
    decided = {"b": "RED", "d": "RED", "e": "junk"}
    first, second, _noise = list_clusters(layout, decided=decided)
    assert (first.photos, first.meters, first.examples, first.decided) == (2, 2, ["a", "c"], {"RED": 1})
    assert first.likenesses[0] == Likeness("X", 0.5, 1.0)
    assert not first.is_decided
    assert (second.photos, second.is_decided, second.decided) == (2, True, {"RED": 1, "junk": 1})
    assert second.examples == ["d", "e"], "what was decided can still be looked at"
    assert [member.image_id for member in open_cluster(layout, 0, decided=decided)] == ["a", "c"]
    assert [member.image_id for member in open_cluster(layout, 1, decided=decided)] == ["d", "e"]


def put_map(layout: Layout, image_ids: str, *, model_version: str | None = None) -> None:
    places = [{"image_id": i, "x": 0.5, "y": 2.0, "model_version": model_version} for i in image_ids]
    layout.lake.replace(UNKNOWN_MAP, frame(UNKNOWN_MAP, places))


def test_the_map_is_read_where_there_is_one(layout: Layout) -> None:
    assert read_map(layout).points == []
    assert not read_map(layout).is_older
    put_map(layout, "abcdef")
    found = read_map(layout)
    assert (len(found.points), found.without_place, found.is_older) == (6, 0, False)
    assert found.points[0] == MapPoint("a", 0, 0.5, 2.0, "X")
    assert found.points[-1] == MapPoint("f", NOISE, 0.5, 2.0, None)


def test_a_map_of_other_photos_or_of_another_model_is_older_than_the_clusters(layout: Layout) -> None:
    put_map(layout, "abd")
    assert [point.image_id for point in read_map(layout).points] == ["a", "b", "d"]
    assert (read_map(layout).without_place, read_map(layout).is_older) == (3, True)
    put_map(layout, "abcdefg")
    assert (read_map(layout).without_place, read_map(layout).is_older) == (0, True)
    put_map(layout, "abcdef", model_version="the model before")
    assert (read_map(layout).without_place, read_map(layout).is_older) == (0, True)


def test_no_tables_no_clusters(tmp_path: Path) -> None:
    assert list_clusters(Layout(tmp_path)) == []
