"""What photos look like: near classes, near photos, similar groups, look-alikes, parts of a group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from meter_pipeline.review.page import look_alikes
from meter_pipeline.review.page.look_alikes import MOST_COMPARED, Looks, Suggestion, similar_groups
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.table_rows import vector_column
from meter_pipeline.storage.tables import IMAGE_FEATURES, KNOWN_EMBEDDINGS, UNKNOWN_EMBEDDINGS, UNKNOWN_LOOKS, TableSpec
from meter_pipeline_tests.support.bounds import costs_at_most
from meter_pipeline_tests.support.review_decisions import photo

EAST, NORTH, UP = np.eye(3)
Rows = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def _every_class_is_near_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos that a test writes by hand point in few directions, at right angles."""
    monkeypatch.setattr(look_alikes, "LEAST_NEAR", -1.0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Layout(tmp_path).lake


def put(
    lake: Lake, spec: TableSpec, rows: Rows, *, model: str = "m1", labels: dict[str, str] | None = None
) -> list[str]:
    """Make these photos, by short name, all rows of a table of embeddings; return their ids."""
    columns = {name: pa.nulls(len(rows), column.type) for name, column in spec.columns.items()}
    columns["image_id"] = pa.array([photo(name) for name in rows], pa.string())
    columns["look" if spec is UNKNOWN_LOOKS else "pretrained_embedding"] = vector_column(np.array(list(rows.values())))
    if "model_version" in columns:
        columns["model_version"] = pa.array([model] * len(rows), pa.string())
    if labels:
        columns["label"] = pa.array([labels[name] for name in rows], pa.string())
    lake.replace(spec, pa.table(columns, schema=spec.schema))
    return [photo(name) for name in rows]


def around(centre: np.ndarray, count: int, name: str, *, spread: float = 0.05) -> Rows:
    random = np.random.default_rng(list(name.encode()))
    return {f"{name}{number}": centre + spread * random.normal(size=3) for number in range(count)}


def put_known(lake: Lake) -> None:
    rows = {"k1": EAST, "k2": EAST + 0.2 * UP, "g1": NORTH}
    put(lake, KNOWN_EMBEDDINGS, rows, labels={"k1": "LT2", "k2": "LT2", "g1": "GENUS"})


def test_the_nearest_class_comes_first_with_its_nearest_photo(lake: Lake) -> None:
    put_known(lake)
    ids = put(lake, UNKNOWN_EMBEDDINGS, {"a": EAST + 0.3 * UP, "b": EAST + 0.3 * UP + 0.01 * NORTH})
    looks = Looks(lake)
    found = looks.suggestions(ids, looks.prototypes({}))
    assert [(each.label, each.image_id, each.source) for each in found] == [
        ("LT2", photo("k2"), "known"),
        ("GENUS", photo("g1"), "known"),
    ]
    assert found[0].similarity > 0.9 > found[1].similarity
    assert [each.label for each in looks.suggestions(ids, looks.prototypes({}), not_labels={"LT2"})] == ["GENUS"]


def test_a_class_that_is_far_is_not_suggested(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_alikes, "LEAST_NEAR", 0.5)
    put_known(lake)
    ids = put(lake, UNKNOWN_EMBEDDINGS, {"a": EAST + 0.3 * UP, "far": UP})
    looks = Looks(lake)
    assert [each.label for each in looks.suggestions(ids[:1], looks.prototypes({}))] == ["LT2"]
    assert looks.suggestions(ids[1:], looks.prototypes({})) == []


def test_a_class_that_was_named_a_minute_ago_is_suggested_with_a_typical_photo(lake: Lake) -> None:
    put_known(lake)
    rows = {"odd": UP + 0.9 * EAST, "typical": UP, "other": UP + 0.1 * NORTH, "a": UP}
    odd, typical, other, a = put(lake, UNKNOWN_EMBEDDINGS, rows)
    looks = Looks(lake)
    first = looks.suggestions([a], looks.prototypes({"NEW": [odd, typical, other]}))[0]
    assert (first.label, first.source) == ("NEW", "named")
    assert first.image_id in (typical, other)


def test_a_class_is_suggested_once_by_whichever_is_nearer(lake: Lake) -> None:
    put_known(lake)
    named, a = put(lake, UNKNOWN_EMBEDDINGS, {"named": UP, "a": UP})
    looks = Looks(lake)
    found = looks.suggestions([a], looks.prototypes({"LT2": [named]}))
    assert found == [Suggestion("LT2", pytest.approx(1.0, abs=1e-3), named, "named"), found[1]]  # type: ignore[arg-type]
    assert [each.label for each in found] == ["LT2", "GENUS"]


def test_named_photos_that_left_the_unknown_ones_are_read_from_the_features_of_the_model(lake: Lake) -> None:
    put(lake, UNKNOWN_EMBEDDINGS, {"a": UP})
    rows = {"gone": UP, "broken": NORTH}
    put(lake, IMAGE_FEATURES, rows)
    broken = lake.read(IMAGE_FEATURES).to_pylist()
    broken[1]["pretrained_embedding"] = None
    lake.replace(IMAGE_FEATURES, pa.Table.from_pylist(broken, schema=IMAGE_FEATURES.schema))
    looks = Looks(lake)
    found = looks.suggestions([photo("a")], looks.prototypes({"NEW": [photo("gone"), photo("broken"), photo("no")]}))
    assert [(each.label, each.image_id) for each in found] == [("NEW", photo("gone"))]
    assert looks.distances([photo("a"), photo("broken"), photo("gone")]) == pytest.approx([0, 0, 0], abs=1e-3)


def test_features_of_another_model_are_not_compared_with(lake: Lake) -> None:
    put(lake, UNKNOWN_EMBEDDINGS, {"a": UP})
    put(lake, IMAGE_FEATURES, {"gone": UP}, model="m0")
    looks = Looks(lake)
    assert looks.suggestions([photo("a")], looks.prototypes({"NEW": [photo("gone")]})) == []


def test_the_nearest_known_photos_are_of_different_classes(lake: Lake) -> None:
    put_known(lake)
    put(lake, UNKNOWN_EMBEDDINGS, {"a": EAST + 0.2 * UP})
    found = Looks(lake).nearest_known(photo("a"))
    assert [(each.image_id, each.label) for each in found] == [(photo("k2"), "LT2"), (photo("g1"), "GENUS")]
    assert Looks(lake).nearest_known(photo("nobody")) == []


def test_look_alikes_come_nearest_first_page_by_page(lake: Lake) -> None:
    rows = {f"p{number}": EAST + 0.1 * number * UP for number in range(6)}
    ids = put(lake, UNKNOWN_EMBEDDINGS, rows)
    looks = Looks(lake)
    assert looks.look_alikes(ids[:2], set(ids), 0, 2) == ids[2:4]
    assert looks.look_alikes(ids[:2], set(ids), 2, 10) == ids[4:]
    assert looks.look_alikes(ids[:1], [*ids[4:], photo("nobody")], 0, 10) == ids[4:]
    assert looks.look_alikes([photo("nobody")], ids, 0, 10) == []


def test_equally_near_look_alikes_keep_one_order(lake: Lake) -> None:
    ids = put(lake, UNKNOWN_EMBEDDINGS, {f"p{number}": EAST for number in range(50)})
    looks = Looks(lake)
    pages = [each for start in range(0, 49, 7) for each in looks.look_alikes(ids[:1], set(ids), start, 7)]
    assert pages == ids[1:]


def test_photos_are_compared_with_each_other_as_the_clusters_compare_them(lake: Lake) -> None:
    ids = put(lake, UNKNOWN_EMBEDDINGS, {"a": EAST, "b": EAST + 0.1 * UP, "c": NORTH})
    put(lake, UNKNOWN_LOOKS, {"c": EAST, "b": NORTH, "a": EAST})
    looks = Looks(lake)
    assert looks.look_alikes(ids[:1], ids, 0, 5) == [ids[2], ids[1]]
    assert [group for group, _ in similar_groups(0, looks.centres({0: ids[:1], 1: ids[1:2], 2: ids[2:]}))] == [2]
    put(lake, UNKNOWN_LOOKS, {"a": EAST, "b": NORTH})
    assert Looks(lake).look_alikes(ids[:1], ids, 0, 5) == [ids[1], ids[2]]  # from before a photo came


def test_similar_groups_are_the_nearest_ones_that_are_near_enough(lake: Lake) -> None:
    rows = around(EAST, 4, "a") | around(EAST + 0.2 * UP, 4, "b") | around(EAST + 0.4 * UP, 4, "c") | {"n": NORTH}
    ids = put(lake, UNKNOWN_EMBEDDINGS, rows)
    groups = {0: ids[:4], 1: ids[4:8], 2: ids[8:12], 3: ids[12:], 4: [photo("nobody")]}
    centres = Looks(lake).centres(groups)
    assert [group for group, _ in similar_groups(0, centres)] == [1, 2]
    assert similar_groups(3, centres) == similar_groups(4, centres) == []


def test_two_blobs_are_two_parts_and_one_is_one(lake: Lake) -> None:
    ids = put(lake, UNKNOWN_EMBEDDINGS, around(EAST, 9, "a") | around(NORTH, 5, "b"))
    looks = Looks(lake)
    assert looks.parts([*ids, photo("nobody")]) == [[*ids[:9], photo("nobody")], ids[9:]]
    one = put(lake, UNKNOWN_EMBEDDINGS, {f"p{number}": EAST for number in range(8)})
    assert Looks(lake).parts(one) == [one]


def test_so_few_photos_are_one_part(lake: Lake) -> None:
    ids = put(lake, UNKNOWN_EMBEDDINGS, {"a": EAST, "b": NORTH})
    looks = Looks(lake)
    assert looks.parts(ids) == [ids]
    assert looks.parts(ids[:1]) == [ids[:1]]
    assert looks.parts([photo("nobody")]) == [[photo("nobody")]]


def test_more_photos_than_are_compared_with_each_other_are_all_in_a_part(lake: Lake) -> None:
    """All pairs of 20,000 photos would take 3 GB."""
    rows = around(EAST, MOST_COMPARED, "a") | around(NORTH, MOST_COMPARED, "b")
    ids = put(lake, UNKNOWN_EMBEDDINGS, rows)
    parts = Looks(lake).parts(ids)
    assert sorted(map(set, parts), key=min) == sorted([{*ids[:MOST_COMPARED]}, {*ids[MOST_COMPARED:]}], key=min)


def test_nothing_is_there(lake: Lake) -> None:
    looks = Looks(lake)
    a = photo("a")
    assert looks.suggestions([a], looks.prototypes({"NEW": [a]})) == looks.nearest_known(a) == []
    assert looks.look_alikes([a], [a], 0, 5) == []
    assert (looks.distances([a]), looks.parts([a]), looks.centres({0: [a]})) == ([0.0], [[a]], {})


def test_known_photos_of_another_backbone_are_left_out_until_both_tables_are_of_one(lake: Lake) -> None:
    """A pipeline writes one table after the other; the page may ask in between."""
    put_known(lake)
    rows = {"a": np.ones(5), "b": np.ones(5)}
    ids = put(lake, UNKNOWN_EMBEDDINGS, rows)
    looks = Looks(lake)
    assert looks.suggestions(ids, looks.prototypes({})) == looks.nearest_known(ids[0]) == []


@pytest.mark.slow
def test_look_alikes_of_300_among_20_000_take_no_time_to_speak_of(lake: Lake) -> None:
    ids = put(lake, UNKNOWN_EMBEDDINGS, around(EAST, 20_000, "a", spread=1.0))
    looks, among = Looks(lake), set(ids)
    with costs_at_most(1):
        assert len(looks.look_alikes(ids[:300], among, 0, 40)) == 40
