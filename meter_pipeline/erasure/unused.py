"""Photos that no row of a drop names: their rows left the sheet, or their URL gave another picture since.

Nothing tells any more whose they are, so no drop, URL or person leads to them; they can be taken all together alone. A
photo that a decision which counts is about stays: people named it, and it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow.compute as pc

from meter_pipeline.erasure.tables_of_photos import OF_PHOTOS
from meter_pipeline.photos.store import stored_ids
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, PROMOTED_IMAGES, URL_IMAGES, TableSpec

_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Unused:
    """What no row names.

    Attributes:
        urls: URLs that were fetched and are in no row.
        photos: image_ids of photos that no row names, but for those that decisions are about.
        decided: number of the latter.
    """

    urls: frozenset[str]
    photos: frozenset[str]
    decided: int


def unused(layout: Layout) -> Unused:
    """Return what is here of photos, or was left of them, and what no row of `drop_rows` names.

    Raises:
        DamagedTableError: a table that tells is damaged.
    """
    rows = layout.lake.read(DROP_ROWS, ["image_url", "reason"])
    named = set(rows.filter(pc.field("reason").is_null())["image_url"].drop_null().to_pylist())
    fetched, predicted = _pairs(layout, URL_IMAGES), _pairs(layout, BATCH_PREDICTIONS)
    here = stored_ids(layout) | {image_id for _, image_id in (*fetched, *predicted) if image_id}
    for spec in (*OF_PHOTOS, PROMOTED_IMAGES):
        here |= set(layout.lake.read(spec, ["image_id"])["image_id"].drop_null().to_pylist())
    if layout.set_aside.is_dir():
        stems = (path.stem.partition("_")[0] for path in layout.set_aside.rglob("*.jpg"))
        here |= {stem for stem in stems if _IMAGE_ID.fullmatch(stem)}
    # What an export still shows of a row that is here stays too, until the next update has looked at the new picture.
    left = here - {image_id for url, image_id in (*fetched, *predicted) if url in named}
    decided = left & _of_decisions(layout) if left else set[str]()
    urls = {url for url, image_id in fetched if url not in named and image_id not in decided}
    return Unused(frozenset(urls), frozenset(left - decided), len(decided))


def _pairs(layout: Layout, spec: TableSpec) -> list[tuple[str, str | None]]:
    table = layout.lake.read(spec, ["image_url", "image_id"])
    return list(zip(table["image_url"].to_pylist(), table["image_id"].to_pylist(), strict=True))


def _of_decisions(layout: Layout) -> set[str]:
    """Return the photos that decisions which count are about."""
    state = current_state(layout)
    groups = [*state.together, *(group for apart in state.apart for group in (apart.out, apart.group))]
    return {*state.words, *(image_id for group in groups for image_id in group)}
