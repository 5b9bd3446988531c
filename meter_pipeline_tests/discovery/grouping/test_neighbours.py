"""Nearest neighbours: by all pairs what brute force says, by the index nearly all of it."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.discovery.grouping.neighbours import nearest
from meter_pipeline.recognition.embeddings import normalised


def points(count: int, seed: int = 0) -> np.ndarray:
    return normalised(np.random.default_rng(seed).normal(size=(count, 16)))


def test_all_pairs_find_what_sorting_does() -> None:
    unit = points(50)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    found = nearest(unit, 5)
    assert found.rows.tolist() == np.argsort(-similarity, axis=1, kind="stable")[:, :5].tolist()
    assert (np.diff(found.similarity, axis=1) <= 0).all()


@pytest.mark.parametrize("limit", [3000, 100])
def test_a_photo_is_not_its_own_neighbour(limit: int) -> None:
    found = nearest(points(2000), 4, largest_exact=limit)
    assert found.rows.shape == found.similarity.shape == (2000, 4)
    assert not (found.rows == np.arange(2000)[:, None]).any()


def test_the_index_misses_few_neighbours_and_is_the_same_every_time() -> None:
    unit = points(3000, seed=2)
    exact, by_index = nearest(unit, 6), nearest(unit, 6, largest_exact=100)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.rows.tolist(), by_index.rows.tolist(), strict=True)]
    assert np.mean(shared) > 5.4
    assert nearest(unit, 6, largest_exact=100).rows.tobytes() == by_index.rows.tobytes()
