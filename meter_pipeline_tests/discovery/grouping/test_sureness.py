"""How sure a cluster is to be one design: the more alike its photos, the surer; noise has no chance of its own."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.discovery.grouping.sureness import sureness
from meter_pipeline.recognition.embeddings import normalised


def test_clusters_of_photos_alike_are_surer() -> None:
    random = np.random.default_rng(0)
    alike, loose = (normalised(np.eye(1, 16) + spread * random.normal(size=(8, 16))) for spread in (0.05, 0.4))
    found = sureness(np.concatenate([alike, loose, loose[:2]]), np.array([0] * 8 + [1] * 8 + [-1] * 2))
    assert set(found) == {0, 1}
    assert 0 < found[1] < found[0] < 1
    assert found[0] > 0.9


def test_it_follows_from_the_mean_similarity_of_pairs() -> None:
    unit = normalised(np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]))
    pairs = (0.6 + 0.8 + 0.96) / 3
    assert sureness(unit, np.zeros(3, int))[0] == pytest.approx(1 / (1 + np.exp(2.17 - 5.99 * pairs)))
