"""Parts of clusters: two designs that one cluster holds are cut apart, one design stays whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.discovery.parts import CUT_BY_EMBEDDING, MOST_LOOKED_AT, cut_into_parts
from meter_pipeline.recognition.embeddings import normalised

WIDTH = 40


def designs(*counts: int, spread: float = 0.08, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = normalised(random.normal(size=(len(counts), WIDTH)))
    return normalised(np.repeat(centres, counts, axis=0) + spread * random.normal(size=(sum(counts), WIDTH)))


def parts(
    views: list[np.ndarray], labels: np.ndarray, *, smallest: int, limit: float, meters: np.ndarray | None = None
) -> np.ndarray:
    each_its_own = np.arange(len(labels)) if meters is None else meters
    return cut_into_parts(views, labels, smallest=smallest, min_silhouette=limit, meters=each_its_own)


def test_two_designs_in_one_cluster_are_cut_and_the_larger_keeps_its_label() -> None:
    labels = np.concatenate([np.zeros(20, np.int64), np.ones(12, np.int64), [-1]])
    unit = np.concatenate([designs(16, 4, 12), designs(1, seed=9)])
    cut = parts([unit], labels, smallest=3, limit=CUT_BY_EMBEDDING.min_silhouette)
    assert cut.tolist() == [0] * 16 + [2] * 4 + [1] * 12 + [-1]


def test_three_designs_in_one_cluster_become_three() -> None:
    cut = parts([designs(9, 7, 5)], np.zeros(21, np.int64), smallest=3, limit=CUT_BY_EMBEDDING.min_silhouette)
    assert [len(set(part.tolist())) for part in np.split(cut, [9, 16])] == [1, 1, 1]
    assert len(set(cut.tolist())) == 3


def test_one_design_stays_whole_and_so_does_a_part_that_is_too_small() -> None:
    others = designs(30, 30, seed=3)
    one = np.concatenate([designs(40), others])
    labels = np.repeat([0, 1, 2], [40, 30, 30])
    assert parts([one], labels, smallest=3, limit=CUT_BY_EMBEDDING.min_silhouette).tolist() == labels.tolist()
    two_of_another = np.concatenate([designs(20, 2), others])
    labels = np.repeat([0, 1, 2], [22, 30, 30])
    assert (
        parts([two_of_another], labels, smallest=3, limit=CUT_BY_EMBEDDING.min_silhouette).tolist() == labels.tolist()
    )


def test_clusters_over_the_limit_are_left() -> None:
    labels = np.zeros(MOST_LOOKED_AT + 1, np.int64)
    assert (
        parts([designs(1000, 1001)], labels, smallest=3, limit=CUT_BY_EMBEDDING.min_silhouette).tolist()
        == labels.tolist()
    )


def test_parts_have_to_be_seen_in_every_look() -> None:
    two_designs, one_design = designs(12, 5, 20), designs(17, 20, seed=4)
    labels = np.repeat([0, 1], [17, 20])
    for looks in ([two_designs, one_design], [one_design, two_designs]):
        assert parts(looks, labels, smallest=2, limit=0.18).tolist() == labels.tolist()
    other_light = designs(12, 5, 20, seed=5)
    cut = parts([two_designs, other_light], labels, smallest=2, limit=0.18)
    assert cut.tolist() == [0] * 12 + [2] * 5 + [1] * 20


def test_parts_of_two_photos_are_cut_where_they_are_asked_for() -> None:
    labels = np.repeat([0, 1], [11, 20])
    looks = [designs(9, 2, 20), designs(9, 2, 20, seed=6)]
    assert parts(looks, labels, smallest=2, limit=0.18).tolist() == [0] * 9 + [2] * 2 + [1] * 20
    assert parts(looks, labels, smallest=3, limit=0.18).tolist() == labels.tolist()


def test_a_burst_counts_as_one_meter() -> None:
    labels = np.repeat([0, 1], [12, 20])
    looks = [designs(9, 3, 20), designs(9, 3, 20, seed=6)]
    assert parts(looks, labels, smallest=2, limit=0.18).tolist() == [0] * 9 + [2] * 3 + [1] * 20
    for burst in (np.arange(9, 12), np.arange(9)):
        meters = np.arange(32)
        meters[burst] = burst[0]
        assert parts(looks, labels, smallest=2, limit=0.18, meters=meters).tolist() == labels.tolist()


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40), st.integers(1, 5), st.integers(0, 2**16))
def test_noise_stays_and_every_part_lies_in_one_cluster_and_is_large_enough(
    places: list[int], smallest: int, seed: int
) -> None:
    labels = np.array(places)
    unit = designs(*[1] * len(labels), seed=seed)
    cut = parts([unit], labels, smallest=smallest, limit=CUT_BY_EMBEDDING.min_silhouette)
    assert ((cut == -1) == (labels == -1)).all()
    for name in set(cut.tolist()) - {-1}:
        assert len(set(labels[cut == name].tolist())) == 1
        whole = labels[cut == name][0]
        assert (cut == name).sum() == (labels == whole).sum() or (cut == name).sum() >= smallest
