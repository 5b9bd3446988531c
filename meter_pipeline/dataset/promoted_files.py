"""Files that promotion put into `data/raw`: how they are called, and what the inventory makes of them.

What is promoted, and why, is in `review.promoted_images`, which writes the table that is read here.
"""

from __future__ import annotations

import re

import pandas as pd

from meter_pipeline.labels import Promotion

_NAME_DIGITS = 16
PROMOTED_NAME = re.compile(rf"reviewed-([0-9a-f]{{{_NAME_DIGITS}}})\.jpg")
"""Of a file that promotion made; the digits are the start of its photo's image_id."""


def promoted_name(image_id: str) -> str:
    """Return what a photo's file is called in its class folder; it ends in .jpg, whatever the bytes are."""
    return f"reviewed-{image_id[:_NAME_DIGITS]}.jpg"


def is_promotions_own(path: str, image_id: str) -> bool:
    """Return whether a path below data/raw is one that promotion gives to this photo: directly in a class folder."""
    folder, _, name = path.partition("/")
    return folder not in {"", ".", ".."} and name == promoted_name(image_id)


def own_files(promoted: pd.DataFrame) -> dict[str, str]:
    """Return the files that are promotion's own: image_id to path below data/raw.

    A photo that a person had put into its class already is promoted too, but its file is that person's.

    Args:
        promoted: rows of `tables.PROMOTED_IMAGES`.
    """
    rows = promoted[promoted["status"] == Promotion.PROMOTED]
    return {
        image_id: path for image_id, path in rows[["image_id", "path"]].to_numpy() if is_promotions_own(path, image_id)
    }


def declared_meters(promoted: pd.DataFrame) -> dict[str, str]:
    """Return image_id to meter of the promoted photos: declared as `groups.csv` declares.

    Args:
        promoted: rows of `tables.PROMOTED_IMAGES`.
    """
    rows = promoted[(promoted["status"] == Promotion.PROMOTED) & promoted["same_meter"].notna()]
    return {image_id: f"promoted {meter}" for image_id, meter in rows[["image_id", "same_meter"]].to_numpy()}
