"""Single photos named: the same network, decision and words as for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.quality import Quality, measure
from meter_pipeline.photos.store import image_id_of
from meter_pipeline.recognition.decision import Decision, decide
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.settings import DecisionSettings, ServingSettings, Settings
from meter_pipeline.storage.layout import Layout


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the model says of one photo, or why it says nothing.

    Attributes:
        image: the file, or what else the photo is called.
        decision: what is decided on the photo; None for an ERROR.
        error: why there is no decision; empty if there is one.
        quality: how good the photo is; None for an ERROR.
        model_version: the model that was asked; empty for an ERROR.
        views: in how many views the photo was looked at; 1 where the view of the whole was enough, 0 for an ERROR.
    """

    image: str
    decision: Decision | None = None
    error: str = ""
    quality: Quality | None = None
    model_version: str = ""
    views: int = 0

    @property
    def final_prediction(self) -> str:
        """A class, UNKNOWN, DARK or ERROR."""
        return self.decision.final_label if self.decision else FinalLabel.ERROR

    @property
    def rule(self) -> Rule:
        """What decided."""
        return self.decision.rule if self.decision else Rule.ERROR

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self.decision.reason if self.decision else self.error


def predict_photos(layout: Layout, images: Sequence[Path], settings: Settings) -> list[Prediction]:
    """Name photos, in order; a photo that cannot be read is an ERROR with its reason.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the model's files do not fit together.
    """
    rules = DecisionSettings.from_settings(settings)
    model = load_model(layout, serving=ServingSettings.from_settings(settings))
    return [_predict_file(path, model, rules) for path in images]


def _predict_file(path: Path, model: MeterModel, rules: DecisionSettings) -> Prediction:
    try:
        content = path.read_bytes()
    except OSError as error:
        return Prediction(image=str(path), error=f"The file cannot be read: {error.strerror}.")
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
        The prediction and the features it was made from; the features are None for an ERROR.
    """
    try:
        quality = measure(open_photo(content).image)
    except PhotoError as error:
        return Prediction(image=name, error=error.what), None
    image_id = image_id_of(content)
    (features,) = extract_features(model, [(image_id, content)])
    if features.failures:
        return Prediction(image=name, error=features.failures[image_id]), None
    (decision,) = decide(model, features, rules, {image_id: quality.brightness})
    prediction = Prediction(
        image=name,
        decision=decision,
        quality=quality,
        model_version=model.version,
        views=int(features.views[0]),
    )
    return prediction, features
