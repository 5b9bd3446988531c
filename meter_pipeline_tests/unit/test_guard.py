"""The guard: a threshold from known photos alone; it flags as few of them as asked, and what looks like none."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.core.guard import choose_threshold, guard_scores, normalised


def classes(random: np.random.Generator, count: int, each: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    centres = normalised(random.normal(size=(count, 32)))
    labels = np.repeat(np.arange(count), each)
    return normalised(centres[labels] + random.normal(scale=spread, size=(count * each, 32))), labels


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_it_flags_the_share_of_known_photos_it_was_told_and_catches_strangers(share: float) -> None:
    random = np.random.default_rng(0)
    embeddings, labels = classes(random, 8, 60, 0.08)
    train, new = np.arange(len(labels)) % 2 == 0, np.arange(len(labels)) % 2 == 1
    threshold = choose_threshold(embeddings[train], labels[train], np.arange(train.sum()), known_flagged=share)
    assert threshold is not None
    known = guard_scores(embeddings[new], labels[new], embeddings[train], labels[train])
    assert np.mean(known.score < threshold) == pytest.approx(share, abs=0.04)
    strangers, _ = classes(random, 5, 20, 0.08)
    stranger_scores = guard_scores(strangers, random.integers(0, 8, 100), embeddings[train], labels[train])
    assert np.mean(stranger_scores.score < threshold) > 0.95
    assert (labels[train][known.nearest] == labels[new]).mean() > 0.99


def test_near_duplicates_do_not_raise_the_threshold() -> None:
    """With each photo there twice, a photo's own copy would make every known photo look perfectly familiar."""
    embeddings, labels = classes(np.random.default_rng(1), 6, 20, 0.1)
    twice, twice_labels = np.concatenate([embeddings, embeddings]), np.concatenate([labels, labels])
    groups = np.tile(np.arange(len(labels)), 2)
    single = choose_threshold(embeddings, labels, np.arange(len(labels)), known_flagged=0.05)
    doubled = choose_threshold(twice, twice_labels, groups, known_flagged=0.05)
    assert single is not None
    assert doubled is not None
    assert doubled < 0.999
    assert doubled == pytest.approx(single, abs=0.05)


def test_too_few_photos_make_no_threshold() -> None:
    embeddings, labels = classes(np.random.default_rng(2), 10, 1, 0.1)
    assert choose_threshold(embeddings, labels, np.arange(10), known_flagged=0.05) is None


def test_no_photos_have_no_scores() -> None:
    embeddings, labels = classes(np.random.default_rng(3), 2, 5, 0.1)
    scores = guard_scores(np.zeros((0, 32), np.float32), np.zeros(0, int), embeddings, labels)
    assert len(scores.score) == len(scores.nearest) == 0
