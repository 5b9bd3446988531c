"""Clusters that stay: ids follow the photos, photos keep their places as the set grows, and changes are recorded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.discovery.continuity import MatchedClusters, keep_places, match_clusters
from meter_pipeline.labels import NOISE

EMPTY = pd.DataFrame({"image_id": pd.Series(dtype="str"), "cluster_id": pd.Series(dtype="int64")})
labelled_photos = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(NOISE, 5), max_size=40)


def members(matched: MatchedClusters) -> dict[int, set[str]]:
    return {
        int(str(cluster_id)): set(rows["image_id"])
        for cluster_id, rows in matched.clusters.groupby("cluster_id")
        if cluster_id != NOISE
    }


def photos(**groups: int) -> dict[str, int]:
    """Name the photos of each group: photos(a=3) is a0, a1, a2."""
    return {f"{name}{number}": label for label, (name, count) in enumerate(groups.items()) for number in range(count)}


def events(matched: MatchedClusters) -> list[tuple[int, str, str, int]]:
    return list(matched.events.itertuples(index=False, name=None))


@given(labelled_photos)
def test_the_same_clusters_keep_their_ids_without_an_event(labels: dict[str, int]) -> None:
    first = match_clusters(EMPTY, labels, next_id=0)
    again = match_clusters(
        first.clusters, {k: 9 - v if v != NOISE else v for k, v in labels.items()}, next_id=first.next_id
    )
    assert again.clusters.equals(first.clusters)
    assert again.events.empty
    assert again.next_id == first.next_id


@pytest.mark.slow
@given(labelled_photos, labelled_photos, st.randoms(use_true_random=False))
def test_neither_order_nor_numbers_matter(before: dict[str, int], after: dict[str, int], random: object) -> None:
    previous = match_clusters(EMPTY, before, next_id=0)
    numbers = list(range(6))
    random.shuffle(numbers)  # type: ignore[attr-defined]
    items = list(after.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    renumbered = {image_id: label if label == NOISE else numbers[label] for image_id, label in items}
    one = match_clusters(previous.clusters, after, next_id=previous.next_id)
    other = match_clusters(previous.clusters.sample(frac=1, random_state=0), renumbered, next_id=previous.next_id)
    assert one.clusters.equals(other.clusters)
    assert one.events.equals(other.events)


@pytest.mark.slow
@given(labelled_photos, labelled_photos)
def test_every_photo_keeps_its_companions_and_no_id_is_used_twice(
    before: dict[str, int], after: dict[str, int]
) -> None:
    previous = match_clusters(EMPTY, before, next_id=0)
    matched = match_clusters(previous.clusters, after, next_id=previous.next_id + 3)
    partition = {frozenset(k for k, v in after.items() if v == label) for label in set(after.values()) - {NOISE}}
    assert {frozenset(group) for group in members(matched).values()} == partition
    assert set(matched.clusters["image_id"]) == set(after)
    for cluster_id in members(matched).keys() - members(previous).keys():
        assert cluster_id >= previous.next_id + 3
        assert cluster_id < matched.next_id


@pytest.mark.slow
@given(labelled_photos, st.dictionaries(st.text("xyz", min_size=1, max_size=4), st.integers(NOISE, 8), max_size=40))
def test_growth_keeps_every_id(before: dict[str, int], added: dict[str, int]) -> None:
    previous = match_clusters(EMPTY, before, next_id=0)
    grown = match_clusters(previous.clusters, {**before, **added}, next_id=previous.next_id)
    known = grown.clusters[grown.clusters["image_id"].isin(before.keys())].reset_index(drop=True)
    assert known.equals(previous.clusters)
    assert set(grown.events["event"]) <= {"new", "kept"}


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    previous = match_clusters(EMPTY, photos(a=10), next_id=0)
    matched = match_clusters(previous.clusters, {f"a{n}": int(n < 4) for n in range(10)}, next_id=previous.next_id)
    assert {k: len(v) for k, v in members(matched).items()} == {0: 6, 1: 4}
    assert events(matched) == [(0, "kept", "", 6), (1, "split", "0", 4)]


def test_a_merged_cluster_keeps_the_larger_ones_id() -> None:
    previous = match_clusters(EMPTY, photos(a=3, b=5), next_id=0)
    assert members(previous)[0] == {f"b{n}" for n in range(5)}
    matched = match_clusters(previous.clusters, dict.fromkeys(photos(a=3, b=5), 7), next_id=previous.next_id)
    assert events(matched) == [(0, "merged", "1", 8), (1, "gone", "", 0)]


def test_a_handful_of_photos_does_not_carry_an_id_away() -> None:
    previous = match_clusters(EMPTY, photos(a=20, b=20), next_id=0)
    after = {**{f"a{n}": NOISE for n in range(20)}, **dict.fromkeys((f"b{n}" for n in range(20)), 0)}
    after["a0"] = 0
    matched = match_clusters(previous.clusters, after, next_id=previous.next_id)
    b_id = int(previous.clusters.set_index("image_id").loc["b0", "cluster_id"])
    assert set(members(matched)) == {b_id}


def test_ids_go_where_most_photos_keep_theirs() -> None:
    previous = match_clusters(EMPTY, photos(a=19, b=9), next_id=0)  # a is 0, b is 1
    after = {f"a{n}": int(n >= 10) for n in range(19)} | {f"b{n}": 0 for n in range(9)}
    kept = members(match_clusters(previous.clusters, after, next_id=previous.next_id))
    assert len(kept[0] & {f"a{n}" for n in range(19)}) == 9
    assert len(kept[1] & {f"b{n}" for n in range(9)}) == 9


def test_a_gone_id_is_not_given_out_again() -> None:
    previous = match_clusters(EMPTY, photos(a=5), next_id=0)
    emptied = match_clusters(previous.clusters, {}, next_id=previous.next_id)
    assert events(emptied) == [(0, "gone", "", 0)]
    assert set(members(match_clusters(emptied.clusters, photos(b=5), next_id=emptied.next_id))) == {1}


def test_thousands_of_clusters_are_matched_quickly() -> None:
    labels = {f"{n:06d}": int(n // 10) for n in range(30_000)}
    previous = match_clusters(EMPTY, labels, next_id=0)
    moved = {
        k: int(np.random.default_rng(int(k)).integers(0, 3000)) if int(k) % 9 == 0 else v for k, v in labels.items()
    }
    kept = match_clusters(previous.clusters, moved, next_id=previous.next_id).clusters
    assert (kept["cluster_id"].to_numpy() == previous.clusters["cluster_id"].to_numpy()).mean() > 0.85


def kept(found: list[int], previous: list[int], settled: list[bool]) -> tuple[list[int], list[bool]]:
    clusters, still_settled = keep_places(
        np.array(found, np.int64), np.array(previous, np.int64), np.array(settled, bool)
    )
    return clusters.tolist(), still_settled.tolist()


def test_a_cluster_that_is_cut_otherwise_stays_and_newcomers_join_it() -> None:
    found, previous = [0, 0, 0, 0, 1, 1, 1, 1], [7, 7, 7, -1, 7, 7, 7, 7]
    clusters, settled = kept(found, previous, [True, True, True, False, True, True, True, True])
    assert clusters == [7] * 8
    assert settled == [True] * 3 + [False] + [True] * 4


def test_two_clusters_that_are_found_as_one_stay_two() -> None:
    clusters, _ = kept([0, 0, 0, 0, 0], [3, 3, 3, 4, 4], [True] * 5)
    assert clusters == [3, 3, 3, 4, 4]


def test_a_group_of_mostly_new_photos_is_a_cluster_and_settled() -> None:
    clusters, settled = kept(
        [0, 0, 0, 0, 1, 1, 1], [5, 5, -1, -1, 5, 5, 5], [True, True, False, False, True, True, True]
    )
    assert clusters == [6, 6, 6, 6, 5, 5, 5]
    assert all(settled)


def test_photos_that_joined_later_do_not_hold_a_cluster_together() -> None:
    clusters, _ = kept([0, 0, 0, 1, 1, 1], [2] * 6, [True, False, False, True, True, True])
    assert clusters == [3, 3, 3, 2, 2, 2]


def test_a_photo_found_to_be_noise_stays_and_one_left_alone_is_noise() -> None:
    assert kept([0, 0, 0, -1], [1, 1, 1, 1], [True] * 4)[0] == [1, 1, 1, 1]
    assert kept([0, 0, 0, -1], [1, 1, 1, 9], [True] * 4)[0] == [1, 1, 1, -1]


def test_no_photos_keep_no_places() -> None:
    assert kept([], [], []) == ([], [])
