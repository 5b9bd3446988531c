"""Rows of `url_images` that were lost, made again from what the predictions say of them, without asking a server.

A server may have gone since, or answer otherwise; the photos are still in the store, and people have the answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.store import image_id_of, store
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, URL_IMAGES

_WITHOUT_A_PHOTO = re.compile(r"([a-z_]+)(?:: (.*))?", re.DOTALL)
"""The reason of a row without a photo, as `batches.batch_predictions` writes it: the outcome, then its words."""
_FROM_PREDICTIONS = ("image_url", "image_id", "brightness", "contrast", "green_ratio", "photo_notes", "reason")
Row = dict[str, Any]


def restore_urls(layout: Layout) -> int:
    """Write `url_images` anew: its sound rows, and lost ones as far as predictions know them; return how many of these.

    The rows are written at once: ended at any point and done again, it comes to the same.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    lake = layout.lake
    sound = sound_rows(lake, URL_IMAGES)
    there = set(sound["image_url"].to_pylist())
    lost = [_row(layout, known) for known in _known(lake) if known["image_url"] not in there]
    restored = pa.Table.from_pandas(
        pd.DataFrame(lost, columns=list(URL_IMAGES.columns)).astype(object),
        schema=URL_IMAGES.schema,
        preserve_index=False,
    )
    lake.replace(URL_IMAGES, pa.concat_tables([sound, restored]).sort_by("image_url"))
    lake.drop_replaced(URL_IMAGES)
    return len(lost)


def _known(lake: Lake) -> Iterator[Row]:
    """Yield what predictions say of each URL that was fetched, once per URL."""
    rows = sound_rows(lake, BATCH_PREDICTIONS).select(_FROM_PREDICTIONS).to_pylist()
    seen: set[str] = set()
    for row in rows:
        fetched = row["image_id"] is not None or _WITHOUT_A_PHOTO.fullmatch(row["reason"] or "") is not None
        if fetched and row["image_url"] not in seen:
            seen.add(row["image_url"])
            yield row


def _row(layout: Layout, known: Row) -> Row:
    row: Row = dict.fromkeys(URL_IMAGES.columns)
    row |= {name: known[name] for name in ("image_url", "image_id", "brightness", "contrast", "green_ratio")}
    row |= {"notes": known["photo_notes"], "fetched_at": datetime.now(UTC).isoformat(timespec="seconds")}
    if known["image_id"] is None:
        outcome, reason = _WITHOUT_A_PHOTO.fullmatch(known["reason"]).groups()  # type: ignore[union-attr]
        return row | {"outcome": outcome, "reason": reason}
    return row | _measured(layout, layout.image(known["image_id"])) | {"outcome": str(Outcome.OK)}


def _measured(layout: Layout, path: Path) -> Row:
    """Return what is measured of a photo in the store; of one that is lost or damaged a size that has it fetched."""
    try:
        content = path.read_bytes()
        if image_id_of(content) != path.stem:
            return {"bytes": 0}
        measured = store(layout, content).columns()
    except (OSError, PhotoError):
        return {"bytes": 0}
    return {
        name: value
        for name, value in measured.items()
        if name in ("bytes", "width", "height", "format", "sharpness", "glare")
    }
