"""How good a model is on its test photos: accuracy, recall by class, confusions, calibration, and a row a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import (
    classification_report,
    precision_recall_fscore_support,
)

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.reliability import expected_calibration_error, reliability_table
from meter_pipeline.evaluation.unknown_curves import area_under_risk_coverage, coverage_table, known_flagged_table
from meter_pipeline.recognition.temperature import fit_temperature, log_probabilities, require_finite
from meter_pipeline.storage.tables import EVALUATION_AUDIT

SPLITS = ("train", "val", "test")
NORMAL_97_5 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""
PROBABILITY_SUM_TOLERANCE = 1e-3
"""How far a softmax in half precision may be off 1."""


@dataclass(frozen=True)
class Evaluation:
    """A model's results on its test photos. Shares are 0 to 1; a number that is not defined is None, never 0.

    Attributes:
        classes: the classes the model can name, in the order of its outputs.
        photos: number of test photos.
        unknown_threshold: top-1 softmax below which a photo is UNKNOWN.
        accuracy: share with the right top-1 class, UNKNOWN or not.
        accuracy_interval: 95 % Wilson interval of the accuracy (takes the photos as independent).
        macro_recall: mean recall over the classes that have test photos.
        top3_accuracy: share whose class is among the first three.
        unknown_share: share of the (known!) test photos under the threshold.
        accepted_accuracy: accuracy of those at or above it.
        ece: expected calibration error, 15 bins of equal width.
        ece_equal_mass: the same with bins of equally many photos.
        ece_calibrated: ECE of the calibrated confidences; None where none were given.
        best_temperature: the temperature that would fit these test photos; above 1 the model is too sure. A
            diagnosis, not for use: it has seen the answers.
        aurc: area under the risk-coverage curve: mean error share over all coverages; 0 is perfect.
        per_class: a row a class: `class`, `precision`, `recall`, `f1`, `support`, `predicted` and, where the counts
            were given, `train`; NaN where not defined (no test photo, or never predicted).
        confusion: true class (index) x predicted class (columns), photos.
        confused_pairs: `true_class`, `predicted_class`, `count`, `share` (of the true class's test photos); most first.
        reliability: see `reliability_table`.
        coverage: see `coverage_table`.
        known_flagged: see `known_flagged_table`.
        untested_classes: classes of the model without test photos (train only).
        foreign_classes: classes of test photos that the model does not know; always wrong.
        report_text: scikit-learn's classification report.
    """

    classes: tuple[str, ...]
    photos: int
    unknown_threshold: float
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    macro_recall: float | None
    top3_accuracy: float | None
    unknown_share: float | None
    accepted_accuracy: float | None
    ece: float | None
    ece_equal_mass: float | None
    ece_calibrated: float | None
    best_temperature: float | None
    aurc: float | None
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    confused_pairs: pd.DataFrame
    reliability: pd.DataFrame
    coverage: pd.DataFrame
    known_flagged: pd.DataFrame
    untested_classes: tuple[str, ...]
    foreign_classes: tuple[str, ...]
    report_text: str

    def metrics(self) -> dict[str, float | int | None]:
        """Return the single numbers by name, for the model card, `metrics.json` and the UI."""
        names = [
            *("photos", "accuracy", "macro_recall", "top3_accuracy", "unknown_share", "accepted_accuracy"),
            *("ece", "ece_equal_mass", "ece_calibrated", "best_temperature"),
            *("aurc", "unknown_threshold"),
        ]
        low, high = self.accuracy_interval or (None, None)
        return {
            **{name: getattr(self, name) for name in names},
            "accuracy_low": low,
            "accuracy_high": high,
            "classes": len(self.classes),
            "untested_classes": len(self.untested_classes),
            "foreign_classes": len(self.foreign_classes),
        }


def evaluate(
    probabilities: np.ndarray,
    true_classes: Sequence[str],
    classes: Sequence[str],
    *,
    unknown_threshold: float = 0.50,
    train_counts: Mapping[str, int] | None = None,
    calibrated: np.ndarray | None = None,
) -> Evaluation:
    """Measure a model on its test photos; none at all gives an evaluation that says so.

    Args:
        probabilities: softmax, photos x classes; any shape with 0 rows where there are no test photos.
        true_classes: true class a photo; classes the model does not know are allowed and always wrong.
        classes: class a column.
        unknown_threshold: top-1 softmax below this is UNKNOWN.
        train_counts: training photos a class, shown beside the recall.
        calibrated: calibrated confidence of the top 1, a photo, as predictions have it (limited where a name is not
            sure); its ECE is reported beside that of the softmax.

    Raises:
        ValueError: the shapes do not fit or a class comes twice.
        MeterError: the probabilities are not finite, or no probabilities.
    """
    classes, true_classes = tuple(classes), list(true_classes)
    probabilities = _checked_probabilities(probabilities, len(true_classes), classes)
    foreign = tuple(sorted(set(true_classes) - set(classes)))
    labels = [*classes, *foreign]
    column = {name: index for index, name in enumerate(labels)}
    truth = np.array([column[name] for name in true_classes], np.int64)
    photos = len(truth)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    predicted = order[:, 0] if photos else np.zeros(0, np.int64)
    confidence = probabilities[np.arange(photos), predicted]
    correct = predicted == truth
    confusion = pd.DataFrame(
        np.bincount(truth * len(labels) + predicted, minlength=len(labels) ** 2).reshape(len(labels), -1),
        index=pd.Index(labels, name="true_class"),
        columns=pd.Index(labels, name="predicted_class"),
    )
    per_class = _per_class(truth, predicted, labels, train_counts)
    tested = per_class["support"] > 0
    accepted = confidence >= unknown_threshold
    known = truth < len(classes)
    can_calibrate = bool(photos) and len(classes) > 1
    return Evaluation(
        classes=classes,
        photos=photos,
        unknown_threshold=unknown_threshold,
        accuracy=_mean(correct),
        accuracy_interval=wilson_interval(int(correct.sum()), photos) if photos else None,
        macro_recall=_mean(per_class.loc[tested, "recall"].to_numpy()),
        top3_accuracy=_mean((order[:, :3] == truth[:, None]).any(axis=1)),
        unknown_share=_mean(~accepted),
        accepted_accuracy=_mean(correct[accepted]),
        ece=expected_calibration_error(confidence, correct) if photos else None,
        ece_equal_mass=expected_calibration_error(confidence, correct, binning="equal_mass") if photos else None,
        ece_calibrated=expected_calibration_error(calibrated, correct) if photos and calibrated is not None else None,
        best_temperature=fit_temperature(log_probabilities(probabilities[known]), truth[known])
        if can_calibrate and known.any()
        else None,
        aurc=area_under_risk_coverage(confidence, correct) if photos else None,
        per_class=per_class,
        confusion=confusion,
        confused_pairs=_confused_pairs(confusion),
        reliability=reliability_table(confidence, correct),
        coverage=coverage_table(confidence, correct),
        known_flagged=known_flagged_table(confidence, correct),
        untested_classes=tuple(per_class.loc[~tested, "class"]),
        foreign_classes=foreign,
        report_text=_report_text(truth, predicted, labels),
    )


def audit_frame(
    *,
    model_version: str,
    image_ids: Sequence[str],
    paths: Sequence[str],
    true_classes: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    decisions: pd.DataFrame,
) -> pd.DataFrame:
    """Return a row a test photo with the columns of `EVALUATION_AUDIT`, sorted by path and image id.

    Args:
        model_version: the model.
        image_ids: image id a photo.
        paths: path below data/raw a photo.
        true_classes: true class a photo.
        probabilities: softmax, photos x classes.
        classes: class a column.
        decisions: what the whole decision (threshold and guard) says, a row a photo; columns final_prediction,
            calibrated_confidence and guard_score.
    """
    probabilities = _checked_probabilities(probabilities, len(image_ids), tuple(classes))
    names = np.array(list(classes), dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    rows = np.arange(len(image_ids))
    audit = pd.DataFrame(
        {
            "model_version": pd.Series([model_version] * len(image_ids), dtype=object),
            "image_id": pd.Series(list(image_ids), dtype=object),
            "path": pd.Series(list(paths), dtype=object),
            "true_class": pd.Series(list(true_classes), dtype=object),
        }
    )
    for place in (1, 2, 3):
        if place <= len(names):
            audit[f"top{place}_class"] = pd.Series(names[order[:, place - 1]], dtype=object)
            audit[f"top{place}_confidence"] = probabilities[rows, order[:, place - 1]]
        else:
            audit[f"top{place}_class"] = pd.Series([None] * len(audit), dtype=object)
            audit[f"top{place}_confidence"] = np.nan
    audit["predicted_class"] = audit["top1_class"]
    audit["confidence"] = audit["top1_confidence"]
    audit["correct"] = (audit["predicted_class"] == audit["true_class"]).astype(bool)
    audit["final_prediction"] = pd.Series(decisions["final_prediction"].tolist(), dtype=object)
    for name in ("calibrated_confidence", "guard_score"):
        audit[name] = decisions[name].to_numpy(np.float64)
    return audit[list(EVALUATION_AUDIT.columns)].sort_values(["path", "image_id"], ignore_index=True)


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, 1927)."""
    share, z2 = successes / total, NORMAL_97_5**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL_97_5 / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def split_counts(split: pd.DataFrame) -> pd.DataFrame:
    """Count the photos of `dataset_split` by class (index, sorted) and split (columns train, val, test)."""
    counts = pd.crosstab(split["label"], split["split"]).reindex(columns=list(SPLITS), fill_value=0).sort_index()
    return counts.rename_axis(index="class", columns=None)


def _checked_probabilities(probabilities: np.ndarray, photos: int, classes: tuple[str, ...]) -> np.ndarray:
    if len(set(classes)) != len(classes) or not classes:
        raise ValueError(f"A class comes twice, or there are none: {classes}")
    probabilities = np.asarray(probabilities, np.float64)
    if photos == 0 and probabilities.size == 0:
        return np.zeros((0, len(classes)))
    if probabilities.shape != (photos, len(classes)):
        raise ValueError(f"probabilities {probabilities.shape} do not fit {photos} photos and {len(classes)} classes")
    require_finite(probabilities, "probabilities")
    sums = probabilities.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if probabilities.min() < 0 or abs(sums[worst] - 1) > PROBABILITY_SUM_TOLERANCE:
        raise MeterError(
            f"The probabilities are no softmax: those of row {worst} sum to {sums[worst]:.4g}.",
            fix="Give softmax probabilities, not logits or percent.",
        )
    return probabilities


def _per_class(
    truth: np.ndarray, predicted: np.ndarray, labels: list[str], train_counts: Mapping[str, int] | None
) -> pd.DataFrame:
    if len(truth):
        precision, recall, f1, support = precision_recall_fscore_support(
            truth, predicted, labels=range(len(labels)), zero_division=np.nan
        )
    else:
        precision = recall = f1 = np.full(len(labels), np.nan)
        support = np.zeros(len(labels), np.int64)
    report = pd.DataFrame({"class": labels, "precision": precision, "recall": recall, "f1": f1})
    report.loc[np.asarray(support) == 0, "f1"] = np.nan
    report["support"] = np.asarray(support, np.int64)
    report["predicted"] = np.bincount(predicted, minlength=len(labels))
    if train_counts is not None:
        report["train"] = [int(train_counts.get(name, 0)) for name in labels]
    return report


def _confused_pairs(confusion: pd.DataFrame) -> pd.DataFrame:
    counts = confusion.to_numpy(copy=True)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true_index, predicted_index = np.nonzero(counts)
    names = confusion.index.to_numpy(dtype=object)
    pairs = pd.DataFrame(
        {
            "true_class": names[true_index],
            "predicted_class": names[predicted_index],
            "count": counts[true_index, predicted_index],
            "share": counts[true_index, predicted_index] / np.maximum(totals[true_index], 1),
        }
    )
    by = ["count", "share", "true_class", "predicted_class"]
    return pairs.sort_values(by, ascending=[False, False, True, True], ignore_index=True)


def _report_text(truth: np.ndarray, predicted: np.ndarray, labels: list[str]) -> str:
    if not len(truth):
        return "There are no test photos, so there is nothing to report.\n"
    used = sorted(set(truth) | set(predicted))
    return str(
        classification_report(
            truth,
            predicted,
            labels=used,
            target_names=[" ".join(labels[index].split()) for index in used],
            digits=3,
            zero_division=np.nan,
        )
    )


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
