"""Scores: each is higher for photos of known classes than for others."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.recognition.scores import SCORES, Seen, nearest_known
from meter_pipeline_tests.support.embedded_photos import (
    CLASSES,
    KNOWN_CENTRES,
    STRANGE_CENTRES,
    known_photos,
    photos,
    plates,
    seen,
)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_higher_for_known_photos_and_takes_no_photos(name: str) -> None:
    train, train_labels = photos(KNOWN_CENTRES, 20, 1)
    known = known_photos(train_labels, tuned=train, printed=plates(train_labels))
    (of_known, labels), (of_others, strange) = photos(KNOWN_CENTRES, 20, 5), photos(STRANGE_CENTRES, 20, 6)
    usual = seen(of_known, printed=plates(labels))
    others = seen(of_others, printed=plates(strange + CLASSES))
    assert SCORES[name](usual, known).mean() > SCORES[name](others, known).mean()
    assert len(SCORES[name](seen(of_known[:0]), known)) == 0


def test_the_nearest_known_photo_is_the_most_similar_one() -> None:
    known, _ = photos(KNOWN_CENTRES, 1, 1)
    assert nearest_known(known[[3, 0]], known).tolist() == [3, 0]
    assert nearest_known(known[:2], np.zeros((0, known.shape[1]))).tolist() == [-1, -1]


def test_a_photos_scores_do_not_depend_on_who_is_beside_it() -> None:
    """Once 100 new photos changed the last decimals of all others, and every export was written again."""
    known_embeddings, labels = photos(KNOWN_CENTRES, 30, seed=4)
    known = known_photos(labels, tuned=known_embeddings)
    asked, _ = photos(KNOWN_CENTRES, 25, seed=5)
    together = seen(asked)
    for name, score in SCORES.items():
        among = score(together, known)
        for rows in (slice(0, 1), slice(3, 8), slice(0, 150)):
            alone = Seen(logits=together.logits[rows], embeddings=together.embeddings.take(np.arange(len(asked))[rows]))
            np.testing.assert_allclose(score(alone, known), among[rows], rtol=0, atol=1e-9, err_msg=name)
