"""Measures that need no truth: they tell clusters from groups by chance, and fall where clusters do not come again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from meter_pipeline.discovery.grouping.clustering import cluster
from meter_pipeline.discovery.grouping.measures import silhouette, stability
from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings

pytestmark = pytest.mark.slow


def again(embeddings: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: cluster(embeddings[rows]).labels


def test_stability_tells_clusters_from_none() -> None:
    embeddings, truth = drawn_embeddings()
    steady = stability(cluster(embeddings).labels, again(embeddings))
    shuffled = stability(np.random.default_rng(0).permutation(truth), again(embeddings))
    assert steady is not None and shuffled is not None
    assert steady > 0.9
    assert shuffled < 0.2
    assert stability(np.array([0]), again(embeddings[:1])) is None


def test_silhouette_tells_apart_from_mixed() -> None:
    embeddings, truth = drawn_embeddings()
    assert silhouette(embeddings, truth) > 0.5
    assert silhouette(embeddings, np.random.default_rng(0).permutation(truth)) < 0.05
    assert silhouette(embeddings, np.zeros(len(truth), int)) == 0.0
