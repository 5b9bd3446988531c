"""Photos that a model was not shown: what it said of them, and what their scores are measured by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.recognition.scores import DOUBLED_AT, SCORES
from meter_pipeline.training.held_out import OWN, Measures, held_out_rows, no_held_out_rows
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, STRANGE_CENTRES, photos, seen, train_photos


def rows(fold: int = 0) -> pd.DataFrame:
    of_known, labels = photos(KNOWN_CENTRES, 2, 3)
    of_hidden, strange = photos(STRANGE_CENTRES, 1, 4)
    outputs = [f"KNOWN_{label}" for label in range(len(KNOWN_CENTRES))]
    return held_out_rows(
        seen(np.concatenate([of_known, of_hidden])),
        train_photos(),
        np.concatenate([labels, np.full(len(strange), -1)]),
        image_ids=[str(number) for number in range(len(labels) + len(strange))],
        classes=[*(outputs[label] for label in labels), *(f"HIDDEN_{label}" for label in strange)],
        outputs=outputs,
        fold=fold,
    )


def test_a_row_says_what_the_photo_is_and_what_the_model_said() -> None:
    found = rows()
    known = found[~found["hidden"]]
    assert (known["predicted"] == known["class"]).all()
    assert set(found["predicted_photos"]) == {20}
    assert set(known["class_photos"]) == {20}
    assert known["correct"].all()
    hidden = found[found["hidden"]]
    assert hidden["class"].str.startswith("HIDDEN").all()
    assert set(hidden["class_photos"]) == {0}
    assert hidden["predicted"].str.startswith("KNOWN").all()
    assert not hidden["correct"].any()
    assert found["confidence"].between(1 / len(KNOWN_CENTRES), 1).all()
    assert list(no_held_out_rows().columns) == list(found.columns)
    assert no_held_out_rows().empty


def test_a_photo_is_measured_by_its_own_model_and_new_photos_between_the_folds_and_the_model() -> None:
    scores = np.linspace(-1, 1, 41)
    parts = []
    for fold, median, width in ((OWN, 5.0, 1.0), (0, 3.0, 4.0)):
        part = pd.DataFrame(dict.fromkeys(SCORES, median + width * scores))
        parts.append(part.assign(fold=fold, predicted_photos=30))
    known = pd.concat(parts, ignore_index=True)
    measures = Measures.of(known)
    deviations = measures.deviations(known)["max-logit"].to_numpy()
    assert deviations[:41] == pytest.approx(deviations[41:])
    (term,) = measures.terms(["max-logit"])
    assert term.median == 5.0
    assert term.spread == pytest.approx(np.sqrt(1 * 4) * 0.9 / 1.645)


def test_a_spread_is_that_of_a_class_of_many_photos_whatever_the_sizes_of_those_held_out() -> None:
    spread, photos_of_class = 3.0, np.repeat([3, 6, 24], 41)
    scores = 5.0 + spread * np.tile(np.linspace(-1, 1, 41), 3)
    wider = 5.0 + (scores - 5.0) * (1 + 12 / photos_of_class)
    values = {name: wider if DOUBLED_AT.get(name) else scores for name in SCORES}
    known = pd.DataFrame(values).assign(fold=0, predicted_photos=photos_of_class)
    measures = Measures.of(known)
    for term in measures.terms(["joint Mahalanobis", "pretrained similarity"]):
        assert (term.median, term.spread) == (pytest.approx(5.0), pytest.approx(spread * 0.9 / 1.645, rel=0.05))
        assert term.doubled_at == DOUBLED_AT.get(term.score, 0.0)
    deviations = measures.deviations(known)
    assert deviations["joint Mahalanobis"].to_numpy() == pytest.approx(deviations["max-logit"].to_numpy(), rel=0.05)


def test_one_fold_with_odd_photos_does_not_make_the_spread() -> None:
    scores = np.linspace(-1, 1, 41)
    widths = {0: 1.0, 1: 1.0, 2: 27.0}
    parts = [pd.DataFrame(dict.fromkeys(SCORES, width * scores)).assign(fold=fold) for fold, width in widths.items()]
    (term,) = Measures.of(pd.concat(parts, ignore_index=True).assign(predicted_photos=30)).terms(["max-logit"])
    assert term.spread == pytest.approx(3.0 * 0.9 / 1.645)
