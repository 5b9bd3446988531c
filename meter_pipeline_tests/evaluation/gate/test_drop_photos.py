"""What people said of photos, as the gate reads it from the table."""

from __future__ import annotations

import json

import pandas as pd

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, is_name, words_of
from meter_pipeline.storage.tables import REVIEWED_IMAGES


def test_the_words_of_a_table() -> None:
    rows = [
        {"image_id": "named", "action": "name", "label": "HPL", "disputed": False},
        {"image_id": "disputed", "action": "name", "label": "HPL", "disputed": True},
        {"image_id": "junk", "action": "junk", "disputed": False},
        {"image_id": "not", "action": "exclude", "disputed": False, "not_labels": json.dumps(["LT2"])},
    ]
    words = words_of(pd.DataFrame(rows).reindex(columns=list(REVIEWED_IMAGES.columns)).astype(object))
    assert [words[name].is_decided for name in ("named", "disputed", "junk", "not")] == [True, True, True, False]
    assert words["named"].confirms("hpl")
    assert not words["disputed"].confirms("HPL")
    assert words["junk"].rejects("HPL")
    assert words["not"].rejects("lt2 ")
    assert not words["not"].rejects("HPL")
    assert not words["named"].rejects("LT2")


def test_final_labels_that_name_nothing() -> None:
    assert [is_name(label) for label in ("HPL", "UNKNOWN", "DARK", "ERROR")] == [True, False, False, False]


def test_a_photo_that_a_model_was_trained_on_says_nothing() -> None:
    names = {"x": "a", "y": "a"}
    drops = DropPhotos(champion=names, challenger=names, trained_on=frozenset("x"))
    assert not drops.has_both("x")
    assert drops.has_both("y")
    assert not drops.has_both("z")
