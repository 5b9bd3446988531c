"""What photos are compared by: rows stay together."""

from __future__ import annotations

import numpy as np
import pytest

from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, embeddings_of, photos, plates


def rows_of(embeddings: Embeddings) -> list[bytes]:
    parts = (embeddings.tuned, embeddings.pretrained, embeddings.colours, embeddings.printed)
    return [b"".join(part[row].tobytes() for part in parts) for row in range(len(embeddings))]


def some_photos() -> Embeddings:
    tuned, labels = photos(KNOWN_CENTRES, 3, 1)
    return embeddings_of(tuned, pretrained=tuned[::-1] * 2, printed=plates(labels))


def test_a_photo_keeps_all_that_is_known_of_it_when_photos_are_taken_and_put_together() -> None:
    every = some_photos()
    rows = rows_of(every)
    mask = np.arange(len(every)) % 2 == 0
    assert rows_of(every.take(mask)) == rows[::2]
    assert rows_of(every.take(np.array([5, 2]))) == [rows[5], rows[2]]
    assert rows_of(Embeddings.together([every.take(np.arange(4)), every.take(np.arange(4, len(every)))])) == rows


def test_normalised_embeddings_have_length_1_and_colours_and_print_stay() -> None:
    every = some_photos()
    every.pretrained[0] = 0.0
    normalised = every.normalised()
    assert np.linalg.norm(normalised.tuned, axis=1) == pytest.approx(1.0)
    assert np.linalg.norm(normalised.pretrained, axis=1)[1:] == pytest.approx(1.0)
    assert not normalised.pretrained[0].any()
    assert normalised.tuned.dtype == np.float32
    assert normalised.colours is every.colours
    assert normalised.printed is every.printed
    assert len(Embeddings.empty(4).normalised()) == 0
