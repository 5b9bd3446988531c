"""Measures that need no truth: they tell clusters from groups by chance, and fall where clusters do not come again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from meter_pipeline.discovery.clustering import cluster
from meter_pipeline.discovery.measures import silhouette, stability
from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings

pytestmark = pytest.mark.slow


def again(embeddings: np.ndarray, views: Sequence[np.ndarray] = ()) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: cluster(embeddings[rows], views=[view[rows] for view in views]).labels


def test_stability_tells_clusters_from_none() -> None:
    embeddings, truth = drawn_embeddings()
    steady = stability(cluster(embeddings).labels, again(embeddings), seed=0)
    shuffled = stability(np.random.default_rng(0).permutation(truth), again(embeddings), seed=0)
    assert steady is not None and shuffled is not None
    assert steady > 0.9
    assert shuffled < 0.2
    assert stability(np.array([0]), again(embeddings[:1]), seed=0) is None


def test_clusters_that_only_the_views_show_come_again_only_with_the_views() -> None:
    random = np.random.default_rng(7)
    truth, seen_as = np.repeat(np.arange(4), [20, 6, 15, 15]), np.repeat(np.arange(3), [26, 15, 15])
    embeddings = random.normal(size=(3, 64))[seen_as] + 0.4 * random.normal(size=(len(truth), 64))
    views = [random.normal(size=(4, 32))[truth] + 0.3 * random.normal(size=(len(truth), 32)) for _ in range(2)]
    labels = cluster(embeddings, views=views).labels
    with_views = stability(labels, again(embeddings, views), seed=0)
    without = stability(labels, again(embeddings), seed=0)
    assert with_views is not None and without is not None
    assert with_views > 0.95 > without


def test_silhouette_tells_apart_from_mixed() -> None:
    embeddings, truth = drawn_embeddings()
    assert silhouette(embeddings, truth) > 0.5
    assert silhouette(embeddings, np.random.default_rng(0).permutation(truth)) < 0.05
    assert silhouette(embeddings, np.zeros(len(truth), int)) == 0.0
