"""Embeddings into clusters: the same bits every time, copies counted once, the same way for few photos and many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from meter_pipeline.discovery.grouping.clustering import Clustering, cluster, neighbours_looked_at
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE
from meter_pipeline_tests.support.drawn_embeddings import DESIGNS, drawn_embeddings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> Clustering:
    return cluster(drawn_embeddings()[0])


def test_designs_become_clusters(found: Clustering) -> None:
    truth = drawn_embeddings()[1]
    shows_a_design = truth != NOISE
    assert adjusted_mutual_info_score(truth[shows_a_design], found.labels[shows_a_design]) > 0.95
    assert found.labels.min() >= NOISE
    assert found.membership.shape == found.labels.shape
    assert ((found.membership == 0) == (found.labels == NOISE)).all()


def test_clusters_are_numbered_by_falling_size(found: Clustering) -> None:
    counts = np.bincount(found.labels[found.labels >= 0])
    assert (np.diff(counts) <= 0).all()


def test_same_bits_in_another_process_with_other_threads(found: Clustering) -> None:
    program = (
        "from meter_pipeline.discovery.grouping.clustering import cluster\n"
        "from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings\n"
        "c = cluster(drawn_embeddings()[0])\n"
        "print(c.labels.tobytes().hex(), c.membership.tobytes().hex())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "1"}
    command, project = [sys.executable, "-c", program], Path(__file__).parents[3]
    output = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=True)
    assert output.stdout.split() == [found.labels.tobytes().hex(), found.membership.tobytes().hex()]


def test_a_broken_embedding_is_named() -> None:
    embeddings = drawn_embeddings()[0]
    embeddings[[3, 7], 5] = np.nan
    embeddings[9] = 0
    with pytest.raises(MeterError, match=r"2 of 132 embeddings hold NaN or infinity and 1 are all zeros \(.* row 3\)"):
        cluster(embeddings)


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
    assert adjusted_mutual_info_score(truth, with_copies.labels[: len(truth)]) > 0.85
    assert len(set(with_copies.labels[len(truth) :].tolist()) | {int(with_copies.labels[0])}) == 1


def test_three_photos_of_one_design_are_a_cluster_and_a_stranger_is_noise() -> None:
    embeddings, truth = drawn_embeddings()
    three = cluster(embeddings[:3])
    assert three.labels.tolist() == [0, 0, 0]
    with_stranger = cluster(np.concatenate([embeddings[:6], embeddings[truth == NOISE][:1]]))
    assert with_stranger.labels.tolist() == [0] * 6 + [NOISE]
    assert cluster(embeddings[:1]).labels.tolist() == [NOISE]
    assert cluster(embeddings[:0]).count == 0


def test_an_index_finds_what_all_pairs_do() -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(40, 32))
    truth = random.choice(40, 2000, p=(shares := random.lognormal(0, 1, 40)) / shares.sum())
    embeddings = centres[truth] + 0.5 * random.normal(size=(2000, 32))
    exact, by_index = (cluster(embeddings, largest_exact=limit) for limit in (2000, 100))
    assert adjusted_rand_score(exact.labels, by_index.labels) > 0.98
    assert cluster(embeddings, largest_exact=100).labels.tobytes() == by_index.labels.tobytes()


def test_a_design_of_many_photos_is_one_cluster() -> None:
    random = np.random.default_rng(5)
    centres = random.normal(size=(4, 32))
    truth = np.repeat(np.arange(4), [1500, 300, 40, 5])
    found = cluster(centres[truth] + 0.4 * random.normal(size=(len(truth), 32)))
    assert adjusted_rand_score(truth, found.labels) > 0.98
    assert found.count <= 6


def test_meters_belong_to_the_photos() -> None:
    with pytest.raises(ValueError, match="different number of photos"):
        cluster(drawn_embeddings()[0], meters=np.arange(3))


@pytest.mark.parametrize(("photos", "neighbours"), [(2, 1), (3, 2), (15, 3), (300, 5), (100_000, 9)])
def test_more_photos_look_at_more_neighbours(photos: int, neighbours: int) -> None:
    assert neighbours_looked_at(photos) == neighbours
