"""Parts of clusters: two designs that one cluster holds are cut apart, one design stays whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.discovery.grouping.parts import MOST_LOOKED_AT, SMALLEST_PART, cut_into_parts
from meter_pipeline.recognition.embeddings import normalised

WIDTH = 40


def designs(*counts: int, spread: float = 0.08, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = normalised(random.normal(size=(len(counts), WIDTH)))
    return normalised(np.repeat(centres, counts, axis=0) + spread * random.normal(size=(sum(counts), WIDTH)))


def cut(unit: np.ndarray, labels: np.ndarray, meters: np.ndarray | None = None) -> list[int]:
    return cut_into_parts(unit, labels, np.arange(len(labels)) if meters is None else meters).tolist()


def test_two_designs_in_one_cluster_are_cut_and_the_larger_keeps_its_label() -> None:
    labels = np.concatenate([np.zeros(20, np.int64), np.ones(12, np.int64), [-1]])
    unit = np.concatenate([designs(16, 4, 12), designs(1, seed=9)])
    assert cut(unit, labels) == [0] * 16 + [2] * 4 + [1] * 12 + [-1]


def test_three_designs_in_one_cluster_become_three() -> None:
    found = np.array(cut(designs(9, 7, 5), np.zeros(21, np.int64)))
    assert [len(set(part.tolist())) for part in np.split(found, [9, 16])] == [1, 1, 1]
    assert len(set(found.tolist())) == 3


def test_one_design_stays_whole_and_so_does_a_part_that_is_too_small() -> None:
    assert cut(designs(40, spread=0.3), np.zeros(40, np.int64)) == [0] * 40
    assert cut(designs(20, SMALLEST_PART - 1), np.zeros(19 + SMALLEST_PART, np.int64)) == [0] * (19 + SMALLEST_PART)


def test_clusters_over_the_limit_are_left() -> None:
    labels = np.zeros(MOST_LOOKED_AT + 1, np.int64)
    assert cut(designs(1000, MOST_LOOKED_AT - 999), labels) == labels.tolist()


def test_a_burst_counts_as_one_meter() -> None:
    labels, unit = np.zeros(13, np.int64), designs(9, 4)
    assert cut(unit, labels) == [0] * 9 + [1] * 4
    burst = np.array([*range(9), 9, 9, 9, 10])
    assert cut(unit, labels, burst) == [0] * 13


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=30))
def test_noise_stays_noise_and_parts_lie_within_their_cluster(labels: list[int]) -> None:
    before = np.array(labels)
    after = np.array(cut(designs(*[1] * len(labels)), before))
    assert ((after == -1) == (before == -1)).all()
    for label in set(after.tolist()):
        assert len(set(before[after == label].tolist())) == 1
