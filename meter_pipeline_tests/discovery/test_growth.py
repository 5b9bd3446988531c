import numpy as np

from meter_pipeline.discovery.growth import keep_places


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


def test_nothing() -> None:
    assert kept([], [], []) == ([], [])
