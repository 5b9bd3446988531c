"""Scores of clusters against a known truth, as the benchmarks print them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cluster_scores import cluster_scores
from meter_pipeline.labels import NOISE


def test_scores_of_known_truth() -> None:
    truth = ["a", "a", "a", "b", "b", "junk"]
    scores = cluster_scores(truth, np.array([0, 0, -1, 1, 0, 1]), np.array([True] * 5 + [False]))
    assert scores.purity == pytest.approx(3 / 5)
    assert scores.coverage == pytest.approx(5 / 6)
    assert scores.meter_coverage == pytest.approx(4 / 5)
    assert cluster_scores(truth, np.full(6, NOISE)).clusters == 0
