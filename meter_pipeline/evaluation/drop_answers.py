"""What two models say to photos of the last drops, and to those that people rejected a name of."""

from __future__ import annotations

import pyarrow.compute as pc

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, words_of
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, IMAGE_FEATURES, REVIEWED_IMAGES, URL_IMAGES

REPLAY_PHOTOS = 300
"""Photos of the last drops that are named again: 2 % of them are six, and on two cores their features take the
challenger about a minute."""
REJECTED_PHOTOS = 300
"""Photos that people rejected a name of, those last decided on first."""


def ask_drop_photos(
    layout: Layout, champion: MeterModel, challenger: MeterModel, rules: DecisionSettings
) -> DropPhotos:
    """Ask both models about photos of drops that the champion has features of.

    The challenger's features are computed where they are missing, and kept: they are needed once it is in use.

    Args:
        layout: the data directory.
        champion: the model in use.
        challenger: the model that wants to come into use.
        rules: what makes a photo UNKNOWN or DARK.
    """
    have = layout.lake.read(IMAGE_FEATURES, ["image_id"], where=pc.field("model_version") == champion.version)
    there = {image_id for image_id in have["image_id"].to_pylist() if layout.image(image_id).exists()}
    reviewed = layout.lake.frame(REVIEWED_IMAGES)
    words = words_of(reviewed)
    by_time = reviewed.sort_values(["at", "image_id"], ascending=[False, True])["image_id"]
    rejecting = [photo for photo in by_time if photo in there and (words[photo].is_junk or words[photo].not_labels)]
    last = [photo for photo in photos_of_last_drops(layout) if photo in there][:REPLAY_PHOTOS]
    asked = sorted({*last, *rejecting[:REJECTED_PHOTOS]})
    files = [(image_id, layout.image(image_id)) for image_id in asked]
    update_features(layout.lake, IMAGE_FEATURES, challenger, files, plates=layout.plates)
    return DropPhotos(
        last=tuple(last),
        words=words,
        champion=_final_labels(layout, champion, asked, rules),
        challenger=_final_labels(layout, challenger, asked, rules),
        trained_on=frozenset(champion.card.trained_on) | frozenset(challenger.card.trained_on),
    )


def photos_of_last_drops(layout: Layout) -> list[str]:
    """Return the photos of all drops, those of the drop that was fetched last first; of one drop in a fixed order.

    Within a drop they are sorted by image_id, which is a hash: the first ones are a random sample that stays.
    """
    rows = layout.lake.frame(DROP_ROWS, ["drop", "image_url", "reason"])
    rows = rows[rows["reason"].isna()]
    urls = layout.lake.frame(URL_IMAGES, ["image_url", "image_id", "fetched_at"]).dropna(subset=["image_id"])
    photos = rows.merge(urls, on="image_url")
    photos["fetched"] = photos["fetched_at"].fillna("").groupby(photos["drop"]).transform("max")
    ordered = photos.sort_values(["fetched", "drop", "image_id"], ascending=[False, False, True])
    return ordered["image_id"].drop_duplicates().tolist()


def _final_labels(layout: Layout, model: MeterModel, image_ids: list[str], rules: DecisionSettings) -> dict[str, str]:
    features = features_of(layout.lake, IMAGE_FEATURES, model.version, image_ids)
    urls = layout.lake.frame(URL_IMAGES, ["image_id", "brightness"]).dropna()
    brightness = dict(zip(urls["image_id"], urls["brightness"], strict=True))
    return {decision.image_id: decision.final_label for decision in decide(model, features, rules, brightness)}
