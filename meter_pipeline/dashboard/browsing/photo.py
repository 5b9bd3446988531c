"""One photo that a person brings, as a file or by its URL: the batches' answer, and what the answer rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from meter_pipeline.dashboard.browsing.classes import labelled_files
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import querying

if TYPE_CHECKING:
    from pathlib import Path

    from meter_pipeline.recognition.model_store import MeterModel
    from meter_pipeline.recognition.single_photo import Prediction

NEAREST_SHOWN = 5
TAIL = 0.05
"""Share of the known photos beyond which a measure is pointed out."""
FEWEST_TO_COMPARE = 20
"""Known photos below which nothing is pointed out."""
_FLAGS = {
    "brightness": ("Darker than", "Brighter than"),
    "contrast": ("Less contrast than", None),
    "sharpness": ("Less sharp than", None),
    "glare": (None, "More glare than"),
}
"""What a value at the low and at the high end of the known photos is called; None if it does no harm."""


@dataclass(frozen=True)
class NearPhoto:
    """A known photo that looks like the one asked about.

    Attributes:
        image_id: the photo.
        label: its class.
        similarity: cosine similarity of the embeddings before fine-tuning, as the guard compares, -1 to 1.
        path: its file; None if it is not among the labelled files any more.
    """

    image_id: str
    label: str
    similarity: float
    path: Path | None


@dataclass(frozen=True)
class Answer:
    """What the model says of a photo, and why.

    Attributes:
        prediction: as `meter predict` gives it and a batch would.
        nearest: the most similar photos the model was trained on, the nearest first.
        flags: what is unusual about the photo's quality, one sentence each.
    """

    prediction: Prediction
    nearest: list[NearPhoto] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def ask(layout: Layout, model: MeterModel, content: bytes, name: str, settings: Settings) -> Answer:
    """Ask the model about one photo; one that cannot be read is an ERROR with its reason.

    Args:
        layout: the data directory.
        model: the champion.
        content: the photo's bytes.
        name: the file's name or its URL.
        settings: thresholds, and the largest photo that is taken.
    """
    from meter_pipeline.recognition.single_photo import predict_content
    from meter_pipeline.settings import DecisionSettings

    prediction, features = predict_content(content, name, model, DecisionSettings.from_settings(settings))
    if features is None or prediction.quality is None:
        return Answer(prediction)
    nearest = _nearest(layout, model, features.embeddings.pretrained)
    return Answer(prediction, nearest, quality_flags(layout, asdict(prediction.quality)))


def quality_flags(layout: Layout, quality: dict[str, float]) -> list[str]:
    """Return what sets a photo's quality apart from the known photos, one sentence each.

    A measure is pointed out where it is beyond what 95 % of the labelled photos have.

    Args:
        layout: the data directory.
        quality: value by measure, see `quality.Quality`.
    """
    ends = ", ".join(f"quantile_cont({name}, [{TAIL}, {1 - TAIL}]) AS {name}" for name in _FLAGS)
    with querying(layout.lake, "image_inventory") as lake:
        (known,) = lake.rows(f"SELECT count(*) AS photos, {ends} FROM image_inventory WHERE reason IS NULL")
    if known["photos"] < FEWEST_TO_COMPARE:
        return []
    flags = []
    for name, (low, high) in _FLAGS.items():
        if low and quality[name] < known[name][0]:
            flags.append(f"{low} {1 - TAIL:.0%} of the known photos.")
        elif high and quality[name] > known[name][1]:
            flags.append(f"{high} {1 - TAIL:.0%} of the known photos.")
    return flags


def _nearest(layout: Layout, model: MeterModel, embedding: np.ndarray) -> list[NearPhoto]:
    from meter_pipeline.recognition.embeddings import normalised

    reference = model.reference
    similarity = (normalised(embedding) @ reference.known.embeddings.pretrained.T)[0]
    order = np.argsort(-similarity, kind="stable")[:NEAREST_SHOWN]
    files = labelled_files(layout, [reference.image_ids[row] for row in order])
    return [
        NearPhoto(
            reference.image_ids[row],
            model.classes[reference.known.labels[row]],
            float(similarity[row]),
            files[reference.image_ids[row]][1] if reference.image_ids[row] in files else None,
        )
        for row in order
    ]
