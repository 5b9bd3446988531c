"""Places on the map: photos of one design lie together, copies on one another, and every set has places."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.discovery.map_positions import SMALLEST_FOR_UMAP, map_positions
from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings

pytestmark = pytest.mark.slow


def unit_embeddings(sets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Photos of as many sets of designs, 132 each."""
    drawn = [drawn_embeddings(seed) for seed in range(sets)]
    embeddings = np.concatenate([photos for photos, _ in drawn])
    truth = np.concatenate([np.where(kind < 0, kind, kind + 10 * number) for number, (_, kind) in enumerate(drawn)])
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), truth


@pytest.mark.parametrize("sets", [1, 2], ids=["t-SNE", "UMAP"])
def test_photos_of_one_design_are_near_on_the_map(sets: int) -> None:
    unit, truth = unit_embeddings(sets)
    assert (len(unit) >= SMALLEST_FOR_UMAP) == (sets == 2)
    places = map_positions(unit, seed=0)
    designs = [places[truth == design] for design in np.unique(truth[truth >= 0])]
    spread = max(np.linalg.norm(design - design.mean(axis=0), axis=1).mean() for design in designs)
    centres = np.array([design.mean(axis=0) for design in designs])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(len(centres), 1)].min()
    assert apart > 2 * spread
    assert (map_positions(unit, seed=0) == places).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 14])
def test_small_sets_have_places_too(count: int) -> None:
    places = map_positions(unit_embeddings()[0][:count], seed=0)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count


def test_copies_lie_on_one_another() -> None:
    unit = unit_embeddings()[0]
    places = map_positions(np.concatenate([unit[:20], np.repeat(unit[:1], 500, axis=0)]), seed=0)
    assert len(np.unique(places, axis=0)) == 20
    assert np.unique(map_positions(np.repeat(unit[:1], 50, axis=0), seed=0), axis=0).tolist() == [[0.0, 0.0]]
