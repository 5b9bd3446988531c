"""Random walks: chances add up, and walks within a design meet while those of two designs do not."""

from __future__ import annotations

import numpy as np

from meter_pipeline.discovery.grouping.neighbours import nearest
from meter_pipeline.discovery.grouping.random_walk import walk
from meter_pipeline.recognition.embeddings import normalised


def test_walks_meet_within_a_design_and_not_across() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 24))
    unit = normalised(np.repeat(centres, 12, axis=0) + 0.3 * random.normal(size=(36, 24)))
    walks = walk(nearest(unit, 7), 4)
    assert np.allclose((walks.multiply(walks)).sum(axis=1), 1.0)
    meeting = (walks @ walks.T).toarray()
    same = np.equal.outer(np.repeat(range(3), 12), np.repeat(range(3), 12))
    assert meeting[same].mean() > 0.6
    assert meeting[~same].max() == 0.0


def test_two_photos_alone_are_each_others_neighbours() -> None:
    unit = normalised(np.array([[1.0, 0.1], [1.0, 0.0]]))
    walks = walk(nearest(unit, 1), 1)
    assert (walks @ walks.T).toarray().min() > 0.99
