"""Single photos named: the same network, decision and words as for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.quality import measure
from meter_pipeline.photos.store import image_id_of
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.settings import DecisionSettings, Settings
from meter_pipeline.storage.layout import Layout


@dataclass(frozen=True)
class Prediction:
    """What the model says of one photo.

    Attributes:
        image: the file.
        final_prediction: a class, UNKNOWN, DARK or ERROR.
        confidence: raw softmax of the top 1, 0 to 1; None for ERROR.
        top3: class and confidence, the best first.
        rule: what decided: accepted, threshold, guard, dark, error.
        reason: in words.
        nearest_known: image_id of the most similar labelled photo.
        nearest_known_class: its class.
        guard_score: likeness to the known photos, 0 is a typical one; see `guard`.
        calibrated_confidence: chance that the top 1 is right if the photo is of a known type, 0 to 1; at most 0.9 where
            it is named but not quite like the known ones.
        quality: brightness, contrast, sharpness, glare, green_ratio.
        model_version: which model said so.
    """

    image: str
    final_prediction: str
    confidence: float | None
    top3: list[tuple[str, float]]
    rule: str
    reason: str
    nearest_known: str | None = None
    nearest_known_class: str | None = None
    guard_score: float | None = None
    calibrated_confidence: float | None = None
    quality: dict[str, float] | None = None
    model_version: str = ""


def predict_photos(layout: Layout, images: Sequence[Path], settings: Settings) -> list[Prediction]:
    """Name photos, in order; a photo that cannot be read is an ERROR with its reason.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the model's files do not fit together.
    """
    model, rules = load_model(layout), DecisionSettings.from_settings(settings)
    return [_predict_file(path, model, rules) for path in images]


def _predict_file(path: Path, model: MeterModel, rules: DecisionSettings) -> Prediction:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _error(str(path), f"The file cannot be read: {error.strerror}.")
    return predict_content(content, str(path), model, rules)[0]


def predict_content(
    content: bytes, name: str, model: MeterModel, rules: DecisionSettings
) -> tuple[Prediction, Features | None]:
    """Name one photo from its bytes.

    Args:
        content: the photo.
        name: what the prediction calls it.
        model: the model.
        rules: what makes a photo UNKNOWN or DARK.

    Returns:
        The prediction, and the features it was made from; without these it is an ERROR with its reason.
    """
    try:
        quality = measure(open_photo(content).image)
    except PhotoError as error:
        return _error(name, error.what), None
    image_id = image_id_of(content)
    with one_thread_each():
        (batch,) = extract_features(model, [(image_id, content)])
    if batch.failures:
        return _error(name, batch.failures[image_id]), None
    row = decide(model, batch, rules, {image_id: quality.brightness}).to_dict("records")[0]
    top3 = [(row[f"top{k}_class"], row[f"top{k}_confidence"]) for k in (1, 2, 3) if row[f"top{k}_class"] is not None]
    prediction = Prediction(
        image=name,
        final_prediction=row["final_prediction"],
        confidence=row["top1_confidence"],
        top3=top3,
        rule=row["rule"],
        reason=row["reason"],
        nearest_known=row["nearest_known"],
        nearest_known_class=row["nearest_known_class"],
        guard_score=row["guard_score"],
        calibrated_confidence=row["calibrated_confidence"],
        quality=vars(quality),
        model_version=model.version,
    )
    return prediction, batch


def _error(name: str, reason: str) -> Prediction:
    return Prediction(name, FinalLabel.ERROR, None, [], Rule.ERROR, reason)
