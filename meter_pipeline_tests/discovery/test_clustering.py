"""Embeddings into clusters: the same bits every time, copies counted once, cut by what the single views show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.clustering import Clustering, cluster
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
        "from meter_pipeline.discovery.clustering import cluster\n"
        "from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings\n"
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


def test_two_views_tell_apart_what_the_embeddings_do_not() -> None:
    random = np.random.default_rng(7)
    truth, seen_as = np.repeat(np.arange(4), [20, 6, 15, 15]), np.repeat(np.arange(3), [26, 15, 15])
    embeddings = random.normal(size=(3, 64))[seen_as] + 0.4 * random.normal(size=(len(truth), 64))
    views = [random.normal(size=(4, 32))[truth] + 0.3 * random.normal(size=(len(truth), 32)) for _ in range(2)]
    without, found = cluster(embeddings), cluster(embeddings, views=views)
    assert (without.count, found.count) == (3, 4)
    assert adjusted_mutual_info_score(truth, found.labels) == 1.0
    assert (without.parameters["cut_by"], found.parameters["cut_by"]) == ("embedding", "views")
    with threadpool_limits(2):
        assert cluster(embeddings, views=views).labels.tobytes() == found.labels.tobytes()
    meters = np.where(truth == 1, len(truth), np.arange(len(truth)))
    assert cluster(embeddings, views=views, meters=meters).count == 3
    with pytest.raises(ValueError, match="different number of photos"):
        cluster(embeddings, views=[view[1:] for view in views])
    twice = np.concatenate([np.arange(len(truth)), [3, 22, 22]])  # copies: views follow the photos
    again = cluster(embeddings[twice], views=[view[twice] for view in views])
    assert adjusted_mutual_info_score(truth[twice], again.labels) == 1.0
