"""Random walks: chances add up, and walks within a design meet while those of two designs do not."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from meter_pipeline.discovery.grouping.neighbours import nearest
from meter_pipeline.discovery.grouping.random_walk import first_step, step_between_clusters, walk
from meter_pipeline.recognition.embeddings import normalised


def test_walks_meet_within_a_design_and_not_across() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 24))
    unit = normalised(np.repeat(centres, 12, axis=0) + 0.3 * random.normal(size=(36, 24)))
    walks = walk(first_step(nearest(unit, 7), 4))
    assert np.allclose((walks.multiply(walks)).sum(axis=1), 1.0)
    meeting = (walks @ walks.T).toarray()
    same = np.equal.outer(np.repeat(range(3), 12), np.repeat(range(3), 12))
    assert meeting[same].mean() > 0.6
    assert meeting[~same].max() == 0.0


def test_two_photos_alone_are_each_others_neighbours() -> None:
    unit = normalised(np.array([[1.0, 0.1], [1.0, 0.0]]))
    walks = walk(first_step(nearest(unit, 1), 1))
    assert (walks @ walks.T).toarray().min() > 0.99


def test_a_step_between_clusters_is_the_mean_of_their_photos_steps() -> None:
    unit = normalised(np.random.default_rng(1).normal(size=(6, 4)))
    step = first_step(nearest(unit, 5), 3)
    clusters = np.array([0, 0, 1, 1, 1, 2])
    between = step_between_clusters(step, np.ones(6), clusters).toarray()
    dense = step.toarray()
    assert np.allclose(between[0, 1], dense[:2, 2:5].sum() / 2)
    assert np.allclose(between.sum(axis=1), 1.0)


def test_a_walk_from_a_hub_that_comes_nowhere_with_a_chance_stays_home() -> None:
    count = 1200
    step = csr_array(np.full((count, count), 1 / count))
    walks = walk(step)
    assert np.allclose(walks.toarray(), np.eye(count))
