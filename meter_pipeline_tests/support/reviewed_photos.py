"""Photos in the store and what people said of them, without decision files: rows of `reviewed_images`."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image

from meter_pipeline.labels import Action
from meter_pipeline.photos.store import store
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import REVIEWED_IMAGES


def photo_bytes(seed: int, *, quality: int = 90, file_format: str = "JPEG") -> bytes:
    """A photo-like file; the same seed in another quality is a near-duplicate, another seed is none."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(buffer, file_format, quality=quality)
    return buffer.getvalue()


def store_photo(layout: Layout, seed: int, *, quality: int = 90, file_format: str = "JPEG") -> str:
    """Put a photo into the store, as a download does; return its image_id."""
    return store(layout, photo_bytes(seed, quality=quality, file_format=file_format)).image_id


def named(label: str, *, disputed: tuple[str, ...] = ()) -> dict[str, object]:
    """What a row says of a photo that was named; `disputed`: the names that others gave it."""
    return {
        "action": Action.NAME,
        "label": label,
        "disputed": bool(disputed),
        "disputed_labels": json.dumps(disputed) if disputed else None,
    }


def write_reviewed(layout: Layout, said: Mapping[str, dict[str, object] | str]) -> None:
    """Write what people said: by image_id, the name of a class or columns of the row."""
    rows = []
    for number, (image_id, words) in enumerate(sorted(said.items())):
        row: dict[str, object] = dict.fromkeys(REVIEWED_IMAGES.columns)
        row |= {"image_id": image_id, "by": "anna", "at": "2026-11-28T18:00:00+00:00", "disputed": False}
        row |= {"decision_id": f"01930000-0000-7000-8000-{number:012d}"}
        rows.append(row | (named(words) if isinstance(words, str) else words))
    layout.lake.replace(REVIEWED_IMAGES, pd.DataFrame(rows, columns=list(REVIEWED_IMAGES.columns)).astype(object))
