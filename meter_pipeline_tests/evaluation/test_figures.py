"""The figures of an evaluation are those of the textbook and of scikit-learn, and of nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.figures import audit_frame, evaluate, split_counts, wilson_interval
from meter_pipeline.labels import Rule
from meter_pipeline.storage.table_rows import conform
from meter_pipeline.storage.tables import EVALUATION_AUDIT
from meter_pipeline_tests.support.decisions import decided

CLASSES = ["GENUS1", "HPL", "LT2", "SECURE"]


def sample(photos: int = 200, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, len(CLASSES), photos)
    logits = generator.normal(size=(photos, len(CLASSES)))
    logits[np.arange(photos), truth] += 1.5
    return softmax(logits, axis=1), [CLASSES[index] for index in truth]


def test_figures_are_those_of_scikit_learn() -> None:
    probabilities, truth = sample()
    predicted = [CLASSES[index] for index in probabilities.argmax(axis=1)]
    found = evaluate(probabilities, truth, CLASSES, train_counts={"LT2": 7})
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.macro_recall == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert (found.confusion.to_numpy() == confusion_matrix(truth, predicted, labels=CLASSES)).all()
    expected = precision_recall_fscore_support(truth, predicted, labels=CLASSES)
    for name, values in zip(["precision", "recall", "f1", "support"], expected, strict=True):
        assert found.per_class[name].to_numpy() == pytest.approx(values)
    assert found.per_class["train"].tolist() == [0, 0, 7, 0]
    assert found.accuracy is not None
    assert found.accuracy_interval is not None
    low, high = found.accuracy_interval
    assert low < found.accuracy < high


def test_by_hand() -> None:
    probabilities = np.array([[0.8, 0.1, 0.05, 0.05], [0.6, 0.3, 0.1, 0], [0.1, 0.45, 0.4, 0.05], [0, 0.1, 0.9, 0]])
    found = evaluate(probabilities, ["GENUS1", "HPL", "HPL", "LT2"], CLASSES)
    assert found.accuracy == 0.75
    assert found.macro_recall == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.top3_accuracy == 1.0
    assert found.unknown_share == 0.25  # the third photo: 0.45
    assert found.accepted_accuracy == pytest.approx(2 / 3)
    assert found.untested_classes == ("SECURE",)
    assert found.confused_pairs.to_dict("records") == [
        {"true_class": "HPL", "predicted_class": "GENUS1", "count": 1, "share": 0.5}
    ]


def test_a_class_without_test_photos_has_no_recall_and_does_not_pull_the_mean_down() -> None:
    found = evaluate(np.array([[0.1, 0.9], [0.2, 0.8]]), ["b", "b"], ["a", "b"])
    assert found.macro_recall == 1.0
    assert found.per_class["recall"].isna().tolist() == [True, False]
    assert found.untested_classes == ("a",)


def test_a_class_the_model_does_not_know_counts_as_wrong_and_is_named() -> None:
    found = evaluate(np.array([[0.9, 0.1], [0.9, 0.1]]), ["a", "new"], ["a", "b"])
    assert (found.accuracy, found.macro_recall) == (0.5, 0.5)
    assert found.foreign_classes == ("new",)
    assert found.confusion.loc["new", "a"] == 1


def test_one_class_in_the_model_and_in_test() -> None:
    found = evaluate(np.ones((3, 1)), ["a"] * 3, ["a"])
    assert (found.accuracy, found.macro_recall, found.ece) == (1.0, 1.0, 0.0)
    assert found.best_temperature is None


def test_without_test_photos_nothing_looks_like_a_result() -> None:
    found = evaluate(np.zeros((0, 4)), [], CLASSES)
    defined = {name: value for name, value in found.metrics().items() if value is not None}
    assert defined == {
        "photos": 0,
        "unknown_threshold": 0.5,
        "classes": 4,
        "untested_classes": 4,
        "foreign_classes": 0,
    }
    assert found.untested_classes == tuple(CLASSES)
    assert found.coverage.empty
    assert found.confusion.to_numpy().sum() == 0


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[np.nan, 0.5]], "not finite numbers for 1 of 1"),
        ([[2.0, -1.0]], "not a softmax"),
        ([[97.0, 3.0]], "not a softmax"),
    ],
)
def test_scores_that_are_no_softmax_stop_the_evaluation(probabilities: list[list[float]], message: str) -> None:
    with pytest.raises(MeterError, match=message):
        evaluate(np.array(probabilities), ["a"], ["a", "b"])


def test_audit_rows_fit_their_table_whatever_the_number_of_classes() -> None:
    for classes in (["a"], ["a", "b"], ["a", "b", "c", "d"]):
        first, second = softmax(np.arange(2 * len(classes), dtype=float).reshape(2, -1), axis=1)
        doubtful = dict(zip(classes, first, strict=True))
        sure = dict(zip(classes, second, strict=True))
        audit = audit_frame(
            [
                decided("1", doubtful, Rule.GUARD, calibrated_confidence=0.4, guard_score=-3.0),
                decided("2", sure, calibrated_confidence=0.8, guard_score=0.1),
            ],
            model_version="0001-x",
            paths=["a/z.jpg", "a/b.jpg"],
            true_classes=["a", "a"],
        )
        rows = conform(EVALUATION_AUDIT, audit).to_pylist()
        assert [row["path"] for row in rows] == ["a/b.jpg", "a/z.jpg"]
        assert rows[0]["predicted_class"] == rows[0]["top1_class"] == classes[-1]
        assert rows[0]["confidence"] == rows[0]["top1_confidence"] == second.max()
        assert rows[0]["correct"] == (len(classes) == 1)
        assert rows[0]["top3_class"] == (classes[-3] if len(classes) > 2 else None)
        assert (rows[0]["final_prediction"], rows[1]["final_prediction"]) == (classes[-1], "UNKNOWN")
        assert (rows[1]["calibrated_confidence"], rows[1]["guard_score"]) == (0.4, -3.0)
    nothing = audit_frame([], model_version="0001-x", paths=[], true_classes=[])
    assert conform(EVALUATION_AUDIT, nothing).num_rows == 0


def test_wilson_interval_of_the_textbook() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_split_counts_have_every_split() -> None:
    split = pd.DataFrame({"label": ["b", "a", "b"], "split": ["train", "train", "test"]})
    counts = split_counts(split)
    assert counts.index.tolist() == ["a", "b"]
    assert counts.to_numpy().tolist() == [[1, 0, 0], [1, 0, 1]]
