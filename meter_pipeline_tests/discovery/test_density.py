"""Groups by density in every size of set: too small for a reduction, small, with a giant group, too large for one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from meter_pipeline.discovery import density
from meter_pipeline.discovery.clustering import cluster
from meter_pipeline.discovery.density import chosen_cluster_size, chosen_neighbors
from meter_pipeline.labels import NOISE
from meter_pipeline_tests.support.drawn_embeddings import DIMENSIONS, drawn_embeddings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("count", [0, 1, 2, 3, 14])
def test_sets_too_small_for_a_reduction(count: int) -> None:
    found = cluster(np.random.default_rng(0).normal(size=(count, 8)))
    assert len(found.labels) == len(found.membership) == count
    assert found.note


def test_a_dozen_photos_of_three_designs() -> None:
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(3), 4)
    embeddings = random.normal(size=(3, 32))[truth] + 0.3 * random.normal(size=(12, 32))
    assert adjusted_mutual_info_score(truth, cluster(embeddings).labels) == pytest.approx(1.0)


def test_photos_of_nothing_do_not_stop_it() -> None:
    found = cluster(np.random.default_rng(2).normal(size=(40, 512)))
    assert len(found.labels) == 40


def test_one_giant_cluster_is_kept_where_its_parts_are_no_better() -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(2, 32))
    truth = np.repeat([0, 1], [80, 8])
    found = cluster(centres[truth] + 0.2 * random.normal(size=(88, 32)))
    assert len(set(found.labels[truth == 1].tolist())) == 1
    assert not set(found.labels[truth == 1].tolist()) & set(found.labels[truth == 0].tolist())


def test_smallest_cluster_grows_slowly_with_the_set() -> None:
    sizes = [chosen_cluster_size(count) for count in (15, 200, 1_000, 10_000, 1_000_000)]
    assert sizes == [4, 5, 11, 33, 50]


def test_neighbors_grow_with_a_small_set_and_with_the_smallest_cluster() -> None:
    assert [chosen_neighbors(count) for count in (15, 40, 80, 140, 200, 1_000_000)] == [4, 4, 6, 8, 10, 10]
    embeddings, _ = drawn_embeddings()
    few = embeddings[:40]
    assert cluster(few).parameters["neighbors"] == 4
    assert cluster(few, min_cluster_size=8).parameters["neighbors"] == 8
    assert cluster(few, min_cluster_size=15).parameters["neighbors"] == 10


def test_a_small_set_of_small_designs_comes_apart() -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        truth = np.repeat(np.arange(7), [8, 6, 5, 5, 4, 4, 4])
        embeddings = random.normal(size=(7, 64))[truth] + 1.2 * random.normal(size=(len(truth), 64))
        assert adjusted_mutual_info_score(truth, cluster(embeddings).labels) > 0.97


def test_of_a_large_set_samples_are_clustered_and_the_rest_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density, "LARGEST_REDUCED", 150)
    monkeypatch.setattr(density, "JOINING_DIMENSIONS", 16)
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(7), [120, 120, 100, 100, 80, 80, 30])  # of the last one, 7 are in the first sample
    embeddings = random.normal(size=(7, DIMENSIONS))[truth] + 0.4 * random.normal(size=(len(truth), DIMENSIONS))
    found = cluster(embeddings, min_cluster_size=8)
    assert adjusted_mutual_info_score(truth, found.labels) > 0.9
    assert (found.labels == NOISE).mean() < 0.1
    assert "samples of 150" in found.note
    assert (cluster(embeddings, min_cluster_size=8).labels == found.labels).all()
