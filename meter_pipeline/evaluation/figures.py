"""How good a model is on its test photos: accuracy, recall by class, confusions, calibration, and one row per photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import classification_report, precision_recall_fscore_support

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.reliability import Binning, expected_calibration_error, reliability_table
from meter_pipeline.evaluation.unknown_curves import area_under_risk_coverage, coverage_table, known_flagged_table
from meter_pipeline.labels import Split
from meter_pipeline.recognition.decision import Decision, best_first, decision_table
from meter_pipeline.recognition.temperature import fit_temperature, log_probabilities, require_finite
from meter_pipeline.storage.tables import EVALUATION_AUDIT

NORMAL_97_5 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""
PROBABILITY_SUM_TOLERANCE = 1e-3
"""How far the probabilities of a photo may sum from 1, as those of a softmax in half precision do."""


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
        ece: expected calibration error of the top-1 softmax, bins of equal width.
        ece_equal_mass: the same, bins of equally many photos.
        ece_calibrated: ECE of the calibrated confidences; None if they were not given.
        best_temperature: the temperature that would fit these test photos; above 1 the model is too sure. A
            diagnosis, not for use: it has seen the answers.
        aurc: area under the risk-coverage curve: mean error share over all coverages; 0 is perfect.
        per_class: one row per class: `class`, `precision`, `recall`, `f1`, `support`, `predicted` and, where the counts
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
        low, high = self.accuracy_interval or (None, None)
        return {
            "photos": self.photos,
            "accuracy": self.accuracy,
            "macro_recall": self.macro_recall,
            "top3_accuracy": self.top3_accuracy,
            "unknown_share": self.unknown_share,
            "accepted_accuracy": self.accepted_accuracy,
            "ece": self.ece,
            "ece_equal_mass": self.ece_equal_mass,
            "ece_calibrated": self.ece_calibrated,
            "best_temperature": self.best_temperature,
            "aurc": self.aurc,
            "unknown_threshold": self.unknown_threshold,
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
    """Measure a model on its test photos; without any, the evaluation says so.

    Args:
        probabilities: softmax, photos x classes; any shape with 0 rows where there are no test photos.
        true_classes: the true class of each photo; classes the model does not know are allowed and always wrong.
        classes: the classes, in the order of the columns.
        unknown_threshold: top-1 softmax below this is UNKNOWN.
        train_counts: number of training photos by class, shown beside the recall.
        calibrated: the calibrated confidence of each photo; its ECE is reported beside that of the softmax.

    Raises:
        ValueError: the shapes do not fit or a class comes twice.
        MeterError: the probabilities are not finite, or are not probabilities.
    """
    classes = tuple(classes)
    probabilities = _checked_probabilities(probabilities, len(true_classes), classes)
    foreign = tuple(sorted(set(true_classes) - set(classes)))
    labels = [*classes, *foreign]
    truth = pd.Index(labels).get_indexer(pd.Index(true_classes))
    order = best_first(probabilities)
    predicted, confidence = order[:, 0], probabilities.max(axis=1)
    correct, accepted = predicted == truth, confidence >= unknown_threshold
    confusion = _confusion(truth, predicted, labels)
    per_class = _per_class(truth, predicted, labels, train_counts)
    tested = per_class["support"] > 0
    return Evaluation(
        classes=classes,
        photos=len(truth),
        unknown_threshold=unknown_threshold,
        accuracy=_mean(correct),
        accuracy_interval=wilson_interval(int(correct.sum()), len(truth)) if len(truth) else None,
        macro_recall=_mean(per_class.loc[tested, "recall"].to_numpy()),
        top3_accuracy=_mean((order[:, :3] == truth[:, None]).any(axis=1)),
        unknown_share=_mean(~accepted),
        accepted_accuracy=_mean(correct[accepted]),
        ece=_calibration_error(confidence, correct),
        ece_equal_mass=_calibration_error(confidence, correct, binning="equal_mass"),
        ece_calibrated=None if calibrated is None else _calibration_error(calibrated, correct),
        best_temperature=_best_temperature(probabilities, truth),
        aurc=area_under_risk_coverage(confidence, correct) if len(truth) else None,
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
    decisions: Sequence[Decision], *, model_version: str, paths: Sequence[str], true_classes: Sequence[str]
) -> pd.DataFrame:
    """Return one row per test photo with the columns of `EVALUATION_AUDIT`, sorted by path and image id.

    Args:
        decisions: what is decided on each photo.
        model_version: the model.
        paths: the path of each photo, below data/raw.
        true_classes: the true class of each photo.
    """
    audit = decision_table(decisions, exact=True).assign(
        model_version=pd.Series([model_version] * len(decisions), dtype=object),
        path=pd.Series(list(paths), dtype=object),
        true_class=pd.Series(list(true_classes), dtype=object),
    )
    audit["predicted_class"] = audit["top1_class"]
    audit["confidence"] = audit["top1_confidence"]
    audit["correct"] = (audit["predicted_class"] == audit["true_class"]).astype(bool)
    return audit[list(EVALUATION_AUDIT.columns)].sort_values(["path", "image_id"], ignore_index=True)


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, 1927)."""
    share, z2 = successes / total, NORMAL_97_5**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL_97_5 / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def split_counts(split: pd.DataFrame) -> pd.DataFrame:
    """Count the photos of `dataset_split` by class (index, sorted) and split (columns train, val, test)."""
    counts = pd.crosstab(split["label"], split["split"]).reindex(columns=list(Split), fill_value=0).sort_index()
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
            f"The probabilities are not a softmax: those of row {worst} sum to {sums[worst]:.4g}.",
            fix="Give softmax probabilities, not logits or percent.",
        )
    return probabilities


def _calibration_error(confidence: np.ndarray, correct: np.ndarray, binning: Binning = "equal_width") -> float | None:
    return expected_calibration_error(confidence, correct, binning=binning) if len(correct) else None


def _best_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float | None:
    """Return the temperature that fits the photos of known classes best; None if nothing can be fitted."""
    classes = probabilities.shape[1]
    known = truth < classes
    if classes < 2 or not known.any():
        return None
    return fit_temperature(log_probabilities(probabilities[known]), truth[known])


def _confusion(truth: np.ndarray, predicted: np.ndarray, labels: list[str]) -> pd.DataFrame:
    """Return how many photos of each true class (index) were given each class (columns)."""
    cells = np.bincount(truth * len(labels) + predicted, minlength=len(labels) ** 2)
    return pd.DataFrame(
        cells.reshape(len(labels), len(labels)),
        index=pd.Index(labels, name="true_class"),
        columns=pd.Index(labels, name="predicted_class"),
    )


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
        report[Split.TRAIN] = [int(train_counts.get(name, 0)) for name in labels]
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
