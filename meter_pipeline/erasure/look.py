"""What an erasure would take: rows of tables, photos, and files, by their number and names; nothing is changed here.

It follows from the drops' rows alone, so it comes out the same as long as these are there: whatever was taken away of
it before an erasure was cut off is simply not found any more. Photos that no row names
are told by what is left of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.dataset.labelled_files import LabelledFiles
from meter_pipeline.dataset.promoted_files import is_promotions_own
from meter_pipeline.erasure import photo_files, reports
from meter_pipeline.erasure.tables_of_photos import OF_LABELLED_PHOTOS, OF_PHOTOS
from meter_pipeline.erasure.target import Kind, Target
from meter_pipeline.erasure.unused import unused
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    DROP_ROWS,
    DROPS,
    IMAGE_INVENTORY,
    URL_IMAGES,
    TableSpec,
)


@dataclass(frozen=True)
class Found:
    """What an erasure would take.

    Attributes:
        target: what is to be erased.
        drops: number of rows by drop; a drop without rows is in it if it goes as a whole.
        urls: URLs that no row is left of.
        photos: image_ids of the photos that no other drop needs.
        by_hand: paths below data/raw of those among the photos that a person put there: they stay.
        shared: number of photos that stay because other drops need them.
        rows: number of rows by table.
        files: files by kind, in the order in which they go.
    """

    target: Target
    drops: Mapping[str, int] = field(default_factory=dict)
    urls: frozenset[str] = frozenset()
    photos: frozenset[str] = frozenset()
    by_hand: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shared: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def labelled(self) -> frozenset[str]:
        """The photos whose labelled rows and copies go too: promotion alone put them into data/raw, if anybody did."""
        return self.photos - self.by_hand.keys()

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is there to be taken."""
        return not self.drops and not self.urls and not self.rows and not any(self.files.values())


def look(layout: Layout, target: Target) -> Found:
    """Return what an erasure of the target would take.

    Raises:
        DamagedTableError: a table that tells is damaged.
    """
    lake = layout.lake
    rows = lake.read(DROP_ROWS)
    gone = target.among(rows)
    found = _of_no_row(layout, target) if target.kind == Kind.UNUSED else _of_rows(layout, target, rows, gone)
    return Found(**{**vars(found), "rows": _row_counts(lake, found, gone), "files": _files(layout, found)})


def _of_no_row(layout: Layout, target: Target) -> Found:
    left = unused(layout)
    by_hand = _by_hand(layout, left.photos)
    return Found(target, urls=left.urls, photos=left.photos, by_hand=by_hand)


def _of_rows(layout: Layout, target: Target, rows: pa.Table, gone: np.ndarray) -> Found:
    lake = layout.lake
    counts = pc.value_counts(rows["drop"].filter(pa.array(gone))).to_pylist()
    drops = {count["values"]: count["counts"] for count in counts}
    if target.kind == Kind.DROP and target.value in lake.read(DROPS, ["drop"])["drop"].to_pylist():
        drops.setdefault(target.value, 0)
    urls_left = _urls(rows, ~gone)
    fetched = lake.read(URL_IMAGES, ["image_url", "image_id"])
    pairs = list(zip(fetched["image_url"].to_pylist(), fetched["image_id"].to_pylist(), strict=True))
    asked = _urls(rows, gone) | {url for url, _ in pairs if target.kind == Kind.URL and url == target.value}
    urls = asked - urls_left
    in_question = {image_id for url, image_id in pairs if url in asked and image_id}
    needed = {image_id for url, image_id in pairs if url in urls_left and image_id}
    photos = frozenset(in_question - needed)
    return Found(
        target=target,
        drops=drops,
        urls=frozenset(urls),
        photos=photos,
        by_hand=_by_hand(layout, photos),
        shared=len(in_question & needed),
    )


def read_table(lake: Lake, spec: TableSpec) -> pa.Table:
    """Read the columns of a table that tell which rows go."""
    names = [name for name in ("drop", "position", "image_url", "image_id") if name in spec.columns]
    return lake.read(spec, names)


def rows_of_photos(spec: TableSpec, table: pa.Table, found: Found) -> np.ndarray:
    """Return which rows of a table go because of their photo or URL, as a mask.

    Args:
        spec: the table.
        table: its rows, or the columns of `read_table`.
        found: what goes.
    """
    ids = found.labelled if spec.name in {each.name for each in OF_LABELLED_PHOTOS} else found.photos
    mask = np.fromiter((image_id in ids for image_id in table["image_id"].to_pylist()), bool, table.num_rows)
    if spec is URL_IMAGES:
        mask |= np.fromiter((url in found.urls for url in table["image_url"].to_pylist()), bool, table.num_rows)
    return mask


def predictions(found: Found, places: frozenset[tuple[str, int]], table: pa.Table) -> np.ndarray:
    """Return which rows of `batch_predictions` go: those of rows that go, and of photos that no row names."""
    photos = found.photos if found.target.kind == Kind.UNUSED else frozenset[str]()
    of_photos = (image_id in photos for image_id in table["image_id"].to_pylist())
    return _rows_at(places, table) | np.fromiter(of_photos, bool, table.num_rows)


def _rows_at(places: frozenset[tuple[str, int]], table: pa.Table) -> np.ndarray:
    """Return which rows of a table are at some (drop, position), as a mask."""
    pairs = zip(table["drop"].to_pylist(), table["position"].to_pylist(), strict=True)
    return np.fromiter((pair in places for pair in pairs), bool, table.num_rows)


def places_of(rows: pa.Table, gone: np.ndarray) -> frozenset[tuple[str, int]]:
    """Return (drop, position) of the rows of `drop_rows` that go."""
    rows = rows.filter(pa.array(gone))
    return frozenset(zip(rows["drop"].to_pylist(), rows["position"].to_pylist(), strict=True))


def _urls(rows: pa.Table, wanted: np.ndarray) -> set[str]:
    """Return the URLs that are fetched for some rows of `drop_rows`."""
    rows = rows.filter(pa.array(wanted)).filter(pc.field("reason").is_null())
    return set(rows["image_url"].drop_null().to_pylist())


def _by_hand(layout: Layout, photos: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return which photos a person put into data/raw, and where."""
    inventory = layout.lake.frame(IMAGE_INVENTORY)
    files = LabelledFiles(layout.raw, inventory)
    sizes = {i: path.stat().st_size for i in sorted(photos) if (path := layout.image(i)).is_file()}
    places = {image_id: set(paths) for image_id, paths in files.where_lie(sizes).items()}
    listed = inventory[inventory["image_id"].isin(photos)]
    for image_id, path in zip(listed["image_id"], listed["path"], strict=True):
        if path in files:
            places.setdefault(image_id, set()).add(path)
    theirs = {i: tuple(sorted(path for path in paths if not is_promotions_own(path, i))) for i, paths in places.items()}
    return {image_id: paths for image_id, paths in theirs.items() if paths}


def _row_counts(lake: Lake, found: Found, gone: np.ndarray) -> dict[str, int]:
    places = places_of(read_table(lake, DROP_ROWS), gone)
    tables = (*OF_PHOTOS, *OF_LABELLED_PHOTOS, URL_IMAGES)
    counts = {spec.name: int(rows_of_photos(spec, read_table(lake, spec), found).sum()) for spec in tables}
    counts[BATCH_PREDICTIONS.name] = int(predictions(found, places, read_table(lake, BATCH_PREDICTIONS)).sum())
    counts[DROP_ROWS.name] = len(places)
    counts[DROPS.name] = int(found.target.kind == Kind.DROP and found.target.value in found.drops)
    return {name: count for name, count in counts.items() if count}


def _files(layout: Layout, found: Found) -> dict[str, tuple[Path, ...]]:
    """Return the files by kind; those that show or name a photo before the photo itself."""
    photos, labelled = found.photos, found.labelled
    kinds = {
        "exports": reports.exports(layout, found.drops),
        "cluster pictures and contact sheets": photo_files.cluster_pictures(layout, photos),
        "cluster reports": reports.cluster_reports(layout, photos, found.urls),
        "evaluation pages": reports.evaluation_pages(layout, labelled),
        "thumbnails and caches": photo_files.cached_files(layout, photos),
        "processed copies": photo_files.processed_files(layout, labelled),
        "promoted copies": photo_files.promoted_copies(layout, labelled),
        "photos": photo_files.stored_photos(layout, photos),
        "spreadsheet": _spreadsheet(layout, found.target),
    }
    return {kind: tuple(paths) for kind, paths in kinds.items() if paths}


def _spreadsheet(layout: Layout, target: Target) -> list[Path]:
    path = layout.drops / target.file_name
    return [path] if target.kind == Kind.DROP and target.file_name and (path.is_file() or path.is_symlink()) else []
