"""Scores of clusters against a known truth, as the benchmarks print them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cluster_scores import cluster_scores
from meter_pipeline.labels import NOISE


def test_scores_of_known_truth() -> None:
    truth = ["a"] * 4 + ["b"] * 4 + ["wall", "plant"]
    labels = np.array([0, 0, 0, -1, 1, 1, 1, 0, 2, 2])
    scores = cluster_scores(truth, labels, np.array([False] * 8 + [True] * 2))
    assert scores.purity == pytest.approx((3 + 3 + 1) / 9)
    assert scores.coverage == pytest.approx(7 / 8)
    assert scores.photos_per_decision == pytest.approx(10 / (1 + 2 + 1 + 1))
    assert scores.at_best == pytest.approx(10 / 3)
    assert (scores.clusters, scores.clusters_per_design) == (3, 1.0)


def test_a_cluster_under_half_pure_is_taken_apart_photo_by_photo() -> None:
    assert cluster_scores(["a", "b", "c"], np.zeros(3, int)).photos_per_decision == 1.0
    assert cluster_scores(["a", "b"], np.zeros(2, int)).photos_per_decision == 1.0


def test_all_noise_scores_nothing() -> None:
    scores = cluster_scores(["a"] * 5, np.full(5, NOISE))
    assert (scores.purity, scores.coverage, scores.clusters, scores.photos_per_decision) == (0.0, 0.0, 0, 1.0)
