import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery import clustering
from meter_pipeline.discovery.clustering import Clustering, chosen_cluster_size, chosen_neighbors, cluster
from meter_pipeline.discovery.measures import cluster_scores, silhouette
from meter_pipeline.discovery.stability import stability
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE

DESIGNS, PHOTOS_A_DESIGN, DIMENSIONS = 6, 20, 64


def drawn_embeddings(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return photos of some designs, each scattered around its own direction, and 12 photos of nothing."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(DESIGNS, DIMENSIONS))
    truth = np.repeat(np.arange(DESIGNS), PHOTOS_A_DESIGN)
    photos = centres[truth] + 0.5 * random.normal(size=(len(truth), DIMENSIONS))
    junk = random.normal(size=(12, DIMENSIONS))
    return np.concatenate([photos, junk]).astype(np.float32), np.concatenate([truth, np.full(12, NOISE)])


@pytest.fixture(scope="module")
def found() -> Clustering:
    return cluster(drawn_embeddings()[0])


def test_designs_become_clusters(found: Clustering) -> None:
    truth = drawn_embeddings()[1]
    shows_a_design = truth != NOISE
    assert cluster_scores(truth[shows_a_design].astype(str), found.labels[shows_a_design]).ami > 0.95
    assert found.labels.min() >= NOISE
    assert found.membership.shape == found.labels.shape
    assert ((found.membership == 0) == (found.labels == NOISE)).all()


def test_clusters_are_numbered_by_falling_size(found: Clustering) -> None:
    counts = np.bincount(found.labels[found.labels >= 0])
    assert (np.diff(counts) <= 0).all()


def test_same_bits_in_another_process_with_other_threads(found: Clustering) -> None:
    program = (
        "from meter_pipeline_tests.discovery.test_clustering import *\n"
        "c = cluster(drawn_embeddings()[0])\n"
        "print(c.labels.tobytes().hex(), c.membership.tobytes().hex())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "1"}
    command, project = [sys.executable, "-c", program], Path(__file__).parents[2]
    output = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=True)
    assert output.stdout.split() == [found.labels.tobytes().hex(), found.membership.tobytes().hex()]


def test_a_broken_embedding_is_named() -> None:
    embeddings = drawn_embeddings()[0]
    embeddings[[3, 7], 5] = np.nan
    embeddings[9] = 0
    with pytest.raises(MeterError, match=r"2 of 132 embeddings hold NaN or infinity and 1 are all zeros \(.* row 3\)"):
        cluster(embeddings)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 14])
def test_sets_too_small_for_a_reduction(count: int) -> None:
    found = cluster(np.random.default_rng(0).normal(size=(count, 8)))
    assert len(found.labels) == len(found.membership) == count
    assert found.note


def test_a_dozen_photos_of_three_designs() -> None:
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(3), 4)
    embeddings = random.normal(size=(3, 32))[truth] + 0.3 * random.normal(size=(12, 32))
    assert cluster_scores(truth.astype(str), cluster(embeddings).labels).ami == pytest.approx(1.0)


def test_ten_thousand_copies_of_one_photo_are_one_cluster() -> None:
    found = cluster(np.repeat(drawn_embeddings()[0][:1], 10_000, axis=0))
    assert set(found.labels.tolist()) == {0}
    assert set(found.membership.tolist()) == {1.0}


@pytest.mark.parametrize("count", [8, 40])
def test_a_smallest_cluster_larger_than_the_set_is_said(count: int) -> None:
    found = cluster(drawn_embeddings()[0][:count], min_cluster_size=count + 1)
    assert (found.labels == NOISE).all()
    assert f"set to {count + 1} photos and there are {count}" in found.note


def test_copies_do_not_hide_the_rest(found: Clustering) -> None:
    embeddings, truth = drawn_embeddings()
    with_copies = cluster(np.concatenate([embeddings, np.repeat(embeddings[:1], 500, axis=0)]))
    assert with_copies.count >= DESIGNS
    assert cluster_scores(truth.astype(str), with_copies.labels[: len(truth)]).ami > 0.85
    assert len(set(with_copies.labels[len(truth) :].tolist()) | {int(with_copies.labels[0])}) == 1


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
        assert cluster_scores(truth.astype(str), cluster(embeddings).labels).ami > 0.97


def test_two_views_tell_apart_what_the_embeddings_do_not() -> None:
    random = np.random.default_rng(7)
    truth, seen_as = np.repeat(np.arange(4), [20, 6, 15, 15]), np.repeat(np.arange(3), [26, 15, 15])
    embeddings = random.normal(size=(3, 64))[seen_as] + 0.4 * random.normal(size=(len(truth), 64))
    views = [random.normal(size=(4, 32))[truth] + 0.3 * random.normal(size=(len(truth), 32)) for _ in range(2)]
    without, found = cluster(embeddings), cluster(embeddings, views=views)
    assert (without.count, found.count) == (3, 4)
    assert cluster_scores(truth.astype(str), found.labels).ami == 1.0
    assert (without.parameters["cut_by"], found.parameters["cut_by"]) == ("embedding", "views")
    with threadpool_limits(2):
        assert cluster(embeddings, views=views).labels.tobytes() == found.labels.tobytes()
    meters = np.where(truth == 1, len(truth), np.arange(len(truth)))
    assert cluster(embeddings, views=views, meters=meters).count == 3
    steadiness = [
        stability(embeddings, found.labels, views=looks, min_cluster_size=None, seed=0) for looks in (views, ())
    ]
    assert steadiness[0] > 0.95 > steadiness[1]
    with pytest.raises(ValueError, match="another number of photos"):
        cluster(embeddings, views=[view[1:] for view in views])
    twice = np.concatenate([np.arange(len(truth)), [3, 22, 22]])  # copies: views follow the photos
    again = cluster(embeddings[twice], views=[view[twice] for view in views])
    assert cluster_scores(truth[twice].astype(str), again.labels).ami == 1.0


def test_of_a_large_set_samples_are_clustered_and_the_rest_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "LARGEST_REDUCED", 150)
    monkeypatch.setattr(clustering, "JOINING_DIMENSIONS", 16)
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(7), [120, 120, 100, 100, 80, 80, 30])  # of the last one, 7 are in the first sample
    embeddings = random.normal(size=(7, DIMENSIONS))[truth] + 0.4 * random.normal(size=(len(truth), DIMENSIONS))
    found = cluster(embeddings, min_cluster_size=8)
    assert cluster_scores(truth.astype(str), found.labels).ami > 0.9
    assert (found.labels == NOISE).mean() < 0.1
    assert "samples of 150" in found.note
    assert (cluster(embeddings, min_cluster_size=8).labels == found.labels).all()


def test_stability_tells_clusters_from_none() -> None:
    embeddings, truth = drawn_embeddings()
    steady = stability(embeddings, cluster(embeddings).labels, min_cluster_size=None, seed=0)
    shuffled = stability(embeddings, np.random.default_rng(0).permutation(truth), min_cluster_size=None, seed=0)
    assert steady is not None and shuffled is not None
    assert steady > 0.9
    assert shuffled < 0.2
    assert stability(embeddings[:1], np.array([0]), min_cluster_size=None, seed=0) is None


def test_scores_of_known_truth() -> None:
    truth = ["a", "a", "a", "b", "b", "junk"]
    scores = cluster_scores(truth, np.array([0, 0, -1, 1, 0, 1]), np.array([True] * 5 + [False]))
    assert scores.purity == pytest.approx(3 / 5)
    assert scores.coverage == pytest.approx(5 / 6)
    assert scores.meter_coverage == pytest.approx(4 / 5)
    assert cluster_scores(truth, np.full(6, NOISE)).clusters == 0


def test_silhouette_tells_apart_from_mixed() -> None:
    embeddings, truth = drawn_embeddings()
    assert silhouette(embeddings, truth) > 0.5
    assert silhouette(embeddings, np.random.default_rng(0).permutation(truth)) < 0.05
    assert silhouette(embeddings, np.zeros(len(truth), int)) == 0.0
