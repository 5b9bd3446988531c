"""The map: a place for every UNKNOWN photo, computed once, and a page whose links lead to the cluster folders."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from meter_pipeline.discovery import unknown_map
from meter_pipeline.discovery.cluster_folders import write_cluster_folders
from meter_pipeline.discovery.unknown_map import draw_map, map_problems, place_unknowns
from meter_pipeline.errors import MeterError
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.settings import MapSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS, UNKNOWN_EMBEDDINGS, UNKNOWN_MAP
from meter_pipeline_tests.support.unknown_photos import put_unknown

FEW = {"alpha": 6, "beta": 4}
"""Few enough to be laid out without UMAP, which takes long to load."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def put_clusters(layout: Layout, clusters: dict[int, list[str]]) -> None:
    rows = [(image_id, cluster_id) for cluster_id, image_ids in clusters.items() for image_id in image_ids]
    table = pd.DataFrame(rows, columns=["image_id", "cluster_id"]).assign(membership=1.0, revision=1)
    layout.lake.replace(UNKNOWN_CLUSTERS, table.reindex(columns=list(UNKNOWN_CLUSTERS.columns)))


def problems(layout: Layout) -> list[str]:
    return map_problems(layout.lake.frame(UNKNOWN_EMBEDDINGS, ["image_id"]), layout.lake.frame(UNKNOWN_MAP))


def page_of(layout: Layout) -> str:
    return (layout.cluster_reports / "map.html").read_text(encoding="utf-8")


def links(layout: Layout) -> list[Path]:
    found = re.findall(r'"(\.\./\.\./clusters/[^"]+)"', page_of(layout))
    return [layout.cluster_reports / unquote(link) for link in found]


def test_every_photo_has_a_place_near_those_that_look_alike(layout: Layout) -> None:
    ids = put_unknown(layout, FEW)
    assert place_unknowns(layout)
    assert problems(layout) == []
    places = layout.lake.frame(UNKNOWN_MAP).set_index("image_id")
    alpha, beta = (places.loc[ids[name], ["x", "y"]].to_numpy() for name in ("alpha", "beta"))
    apart = np.linalg.norm(alpha.mean(axis=0) - beta.mean(axis=0))
    assert apart > 2 * max(np.linalg.norm(design - design.mean(axis=0), axis=1).max() for design in (alpha, beta))


def test_places_are_computed_again_where_the_photos_the_model_the_seed_or_the_method_changed_and_only_there(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not place_unknowns(layout)  # there are no photos
    put_unknown(layout, FEW)
    assert place_unknowns(layout)
    assert not place_unknowns(layout)
    put_unknown(layout, {"alpha": 6, "beta": 5})
    assert place_unknowns(layout)
    put_unknown(layout, {"alpha": 6, "beta": 5}, model_version="m2")
    assert place_unknowns(layout)
    assert place_unknowns(layout, MapSettings(seed=1))
    assert not place_unknowns(layout, MapSettings(seed=1))
    monkeypatch.setattr(unknown_map, "MAP_VERSION", "another")
    assert place_unknowns(layout, MapSettings(seed=1))
    put_unknown(layout, {})
    assert place_unknowns(layout)
    assert layout.lake.count(UNKNOWN_MAP) == 0


def test_photos_that_people_decided_on_leave_the_map_and_the_others_stay_where_they_are(layout: Layout) -> None:
    ids = put_unknown(layout, FEW)
    place_unknowns(layout)
    before = layout.lake.frame(UNKNOWN_MAP).set_index("image_id")
    put_unknown(layout, {"alpha": 3, "beta": 2})
    assert not place_unknowns(layout)
    assert problems(layout) == []
    after = layout.lake.frame(UNKNOWN_MAP).set_index("image_id")
    pd.testing.assert_frame_equal(after, before.loc[after.index])
    put_unknown(layout, {"alpha": 2, "beta": 2})
    assert place_unknowns(layout), "too few are left of those that were laid out together"
    assert set(layout.lake.frame(UNKNOWN_MAP)["image_id"]) == {*ids["alpha"][:2], *ids["beta"][:2]}


def test_to_a_map_of_many_new_photos_are_added_beside_those_they_look_like_until_they_are_a_tenth_of_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown_map, "SMALLEST_FOR_UMAP", 20)
    put_unknown(layout, {"alpha": 12, "beta": 10})
    place_unknowns(layout)
    before = layout.lake.frame(UNKNOWN_MAP).set_index("image_id")
    ids = put_unknown(layout, {"alpha": 12, "beta": 11})
    assert place_unknowns(layout)
    once = layout.lake.version(UNKNOWN_MAP)
    assert not place_unknowns(layout)
    ids = put_unknown(layout, {"alpha": 13, "beta": 11})
    assert place_unknowns(layout)
    assert layout.lake.version(UNKNOWN_MAP) != once
    assert problems(layout) == []
    after = layout.lake.frame(UNKNOWN_MAP).set_index("image_id")
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    for name in ("alpha", "beta"):
        others = after.loc[ids[name][:-1], ["x", "y"]].to_numpy()
        added = after.loc[ids[name][-1], ["x", "y"]].to_numpy(float)
        assert others.min(axis=0) == pytest.approx(np.minimum(others.min(axis=0), added))
        assert others.max(axis=0) == pytest.approx(np.maximum(others.max(axis=0), added))

    put_unknown(layout, {"alpha": 13, "beta": 12})
    assert place_unknowns(layout), "three of 22 are more than a tenth"
    assert set(layout.lake.frame(UNKNOWN_MAP)["placed_with"]) == {f"{unknown_map.MAP_VERSION} {MapSettings().seed} 25"}


def test_places_are_computed_again_where_other_print_is_on_the_photos(layout: Layout) -> None:
    put_unknown(layout, FEW)
    place_unknowns(layout)
    by_look = layout.lake.version(UNKNOWN_MAP)
    table = layout.lake.read(UNKNOWN_EMBEDDINGS)
    printed = nothing_read(len(table))
    printed[:, 0] = np.arange(len(table)) % 2
    columns = {"printed": vector_column(printed), "print_hash": pa.array([f"{codes[0]}" for codes in printed])}
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.chunked_array([column]))
    layout.lake.replace(UNKNOWN_EMBEDDINGS, table)
    assert place_unknowns(layout)
    assert layout.lake.version(UNKNOWN_MAP) != by_look
    assert not place_unknowns(layout)


def test_ended_before_the_table_is_there_it_comes_to_the_same_places(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_unknown(layout, FEW)
    place_unknowns(layout)
    undisturbed = layout.lake.version(UNKNOWN_MAP)
    put_unknown(layout, {"alpha": 5})
    place_unknowns(layout)
    put_unknown(layout, FEW)

    def ended(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            place_unknowns(layout)
    assert layout.lake.count(UNKNOWN_MAP) == 5
    assert place_unknowns(layout)
    assert layout.lake.version(UNKNOWN_MAP) == undisturbed


def test_an_embedding_without_a_place_is_said(layout: Layout) -> None:
    put_unknown(layout, FEW)
    table = layout.lake.read(UNKNOWN_EMBEDDINGS)
    broken = np.ones((len(table), 4))
    broken[3, 1] = np.nan
    column = pa.chunked_array([vector_column(broken)])
    layout.lake.replace(UNKNOWN_EMBEDDINGS, table.set_column(2, "embedding", column))
    with pytest.raises(MeterError, match="1 of 10 embeddings hold NaN"):
        place_unknowns(layout)


def test_the_page_links_to_the_exported_photos(layout: Layout) -> None:
    ids = put_unknown(layout, FEW)
    put_clusters(layout, {0: ids["alpha"], -1: ids["beta"]})
    layout.image(ids["beta"][0]).unlink()  # lost: it has a place, and no exported file to open
    write_cluster_folders(layout)
    place_unknowns(layout)
    drawn = draw_map(layout)
    assert (drawn.photos, drawn.waiting) == (10, 0)
    assert len(links(layout)) == 9
    assert all(link.is_file() for link in links(layout))
    before = page_of(layout)
    write_cluster_folders(layout)
    assert page_of(layout) == before


def test_the_page_is_taken_down_as_photos_move_and_drawn_again_from_the_same_places(layout: Layout) -> None:
    ids = put_unknown(layout, FEW)
    put_clusters(layout, {0: ids["alpha"], -1: ids["beta"]})
    write_cluster_folders(layout)
    place_unknowns(layout)
    draw_map(layout)
    put_clusters(layout, {0: ids["alpha"], 1: ids["beta"]})
    write_cluster_folders(layout)
    assert "is not made yet" in page_of(layout)
    assert not place_unknowns(layout)
    draw_map(layout)
    assert {link.parent.name for link in links(layout)} == {"cluster_0000", "cluster_0001"}
    assert all(link.is_file() for link in links(layout))


def test_photos_that_came_meanwhile_are_counted_on_the_page(layout: Layout) -> None:
    put_unknown(layout, FEW)
    place_unknowns(layout)
    ids = put_unknown(layout, {**FEW, "gamma": 2})
    put_clusters(layout, dict(enumerate(ids.values())))
    write_cluster_folders(layout)
    drawn = draw_map(layout)
    assert (drawn.photos, drawn.waiting) == (10, 2)
    assert "2 more photos have no place yet" in page_of(layout)
    assert problems(layout) == [f"2 UNKNOWN photos are not on the map, {min(ids['gamma'])} among them"]


def test_problems_are_named() -> None:
    unknown, places = pd.DataFrame({"image_id": ["a", "b"]}), pd.DataFrame({"image_id": ["b", "b", "x"]})
    assert map_problems(unknown, places) == [
        "1 UNKNOWN photos are not on the map, a among them",
        "1 photos on the map are not UNKNOWN, x among them",
        "1 photos are on the map more than once, b among them",
    ]


def test_without_unknown_photos_the_page_says_so(layout: Layout) -> None:
    put_unknown(layout, {})
    write_cluster_folders(layout)
    place_unknowns(layout)
    draw_map(layout)
    assert "no UNKNOWN" in page_of(layout)
