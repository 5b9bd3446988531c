"""Average linkage over sparse pairs: the same clusters as SciPy's over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from meter_pipeline.discovery.grouping import average_linkage as linkage_module
from meter_pipeline.discovery.grouping.average_linkage import LEAST_OVERLAP, average_linkage
from meter_pipeline.discovery.grouping.neighbours import nearest
from meter_pipeline.discovery.grouping.random_walk import first_step, walk
from meter_pipeline.recognition.embeddings import normalised


def looks(designs: int, photos: int, seed: int, spread: float = 0.6) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(designs, 24))
    return normalised(np.repeat(centres, photos, axis=0) + spread * random.normal(size=(designs * photos, 24)))


@pytest.mark.parametrize("seed", range(5))
def test_the_clusters_are_those_of_all_pairs(seed: int) -> None:
    unit = looks(8, 12, seed)
    walks = walk(first_step(nearest(unit, 7), 4))
    found = average_linkage(walks, unit, np.ones(len(unit)), of_walks=0.7, limit=0.5)
    dense = walks.toarray()
    meeting = dense @ dense.T
    meeting[meeting < LEAST_OVERLAP] = 0
    distance = 1 - (0.7 * meeting + 0.3 * unit.astype(float) @ unit.T)
    np.fill_diagonal(distance, 0)
    expected = fcluster(linkage(squareform(distance, checks=False), "average"), 0.5, "distance")
    assert adjusted_rand_score(expected, found) == 1.0
    assert len(set(found.tolist())) > 1


def test_a_limit_that_pairs_could_reach_that_are_not_looked_at_is_refused() -> None:
    unit = looks(2, 5, 0)
    with pytest.raises(ValueError, match=r"limit 0\.3"):
        average_linkage(walk(first_step(nearest(unit, 3), 3)), unit, np.ones(10), of_walks=0.7, limit=0.3)


def test_a_ring_of_equally_near_ones_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []

    def ring(clusters: Any, *_: float) -> np.ndarray:
        rounds.append(len(clusters.sizes))
        return np.roll(np.arange(rounds[-1]), -1) if rounds[-1] > 2 else np.full(rounds[-1], -1)

    monkeypatch.setattr(linkage_module, "_nearest", ring)
    unit = looks(1, 5, 0)
    found = average_linkage(walk(first_step(nearest(unit, 3), 3)), unit, np.ones(5), of_walks=0.7, limit=0.5)
    assert rounds == [5, 4, 3, 2]
    assert len(set(found.tolist())) == 2


def test_photos_of_different_designs_stay_apart() -> None:
    unit = looks(3, 10, 1, spread=0.2)
    found = average_linkage(walk(first_step(nearest(unit, 7), 3)), unit, np.ones(30), of_walks=0.7, limit=0.5)
    assert found.tolist() == [0] * 10 + [1] * 10 + [2] * 10


def test_groups_count_as_many_photos_as_they_have() -> None:
    unit = looks(4, 9, 2)
    walks = walk(first_step(nearest(unit, 7), 4))
    twice = np.ones(len(unit)) * 2
    once = average_linkage(walks, unit, np.ones(len(unit)), of_walks=0.7, limit=0.5)
    assert average_linkage(walks, 2 * unit, twice, of_walks=0.7, limit=0.5).tolist() == once.tolist()


def test_a_pair_that_reaches_the_limit_from_one_side_alone_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two sums over a pair of clusters are added up in another order each, and differ in their last bits."""
    unit = looks(4, 9, 3)
    walks = walk(first_step(nearest(unit, 7), 4))
    expected = average_linkage(walks, unit, np.ones(len(unit)), of_walks=0.7, limit=0.5)
    from_both_sides = linkage_module._nearest

    def from_one_side(*arguments: object) -> np.ndarray:
        partner = from_both_sides(*arguments)
        own = np.arange(len(partner))
        partner[(partner >= 0) & (partner[partner] == own) & (partner < own)] = -1
        return partner

    monkeypatch.setattr(linkage_module, "_nearest", from_one_side)
    found = average_linkage(walks, unit, np.ones(len(unit)), of_walks=0.7, limit=0.5)
    assert found.tolist() == expected.tolist()
