"""The cluster folders that people open: photos without metadata, under names that sort, and a sheet of each cluster."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from meter_pipeline.discovery.contact_sheet import SheetPhoto, chosen_for_sheet, contact_sheet
from meter_pipeline.discovery.folder_manifest import (
    ID_LENGTH,
    SHEET_KIND,
    manifest_or_found,
    read_manifest,
    write_manifest,
)
from meter_pipeline.discovery.map_page import take_down
from meter_pipeline.discovery.reports import MAP_PAGE, SHEET, cluster_name, noise_last, write_cluster_tables
from meter_pipeline.discovery.unknown_clusters import last_metrics
from meter_pipeline.errors import storage_errors
from meter_pipeline.labels import NOISE
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.metadata_stripping import without_metadata
from meter_pipeline.photos.photo_files import DAMAGED
from meter_pipeline.photos.store import set_damaged_aside
from meter_pipeline.storage.files import safe_name, write_bytes
from meter_pipeline.storage.layout import Layout, cluster_folder_name
from meter_pipeline.storage.private_folders import make_private
from meter_pipeline.storage.tables import CLUSTER_EVENTS, CLUSTER_SUMMARY, UNKNOWN_CLUSTERS, UNKNOWN_METADATA

_logger = logging.getLogger(__name__)

SHEET_VERSION = "1"
"""Part of every sheet's digest: a new number draws every sheet again."""
CLASS_LENGTH = 40
_MEMBER_COLUMNS = ("image_id", "cluster_id", "previous_cluster_id", "membership", "same_meter")


@dataclass(frozen=True)
class FolderChanges:
    """What a pass over the folders did.

    Attributes:
        clusters: cluster folders there are, noise left out.
        photos: photos in the folders.
        written: files written or moved, reports included.
        removed: files taken away.
        missing: image_ids that could not be exported, as their file is lost or damaged.
    """

    clusters: int
    photos: int
    written: int
    removed: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sheet:
    """A contact sheet to be drawn: its words, its photos, and what it depends on."""

    title: str
    subtitle: str
    photos: tuple[SheetPhoto, ...]

    @property
    def digest(self) -> str:
        words = [(photo.path.name, photo.caption, photo.detail) for photo in self.photos]
        return hashlib.sha256(json.dumps([SHEET_VERSION, self.title, self.subtitle, words]).encode()).hexdigest()


def write_cluster_folders(layout: Layout) -> FolderChanges:
    """Bring `data/clusters/` and `data/reports/clusters/` in line with the tables; what did not change is not touched.

    A map page of other clusters is taken down before any photo moves: its links would lead nowhere. `unknown_map` makes
    the next one. Only files written here (by the manifest) are removed or replaced, never a person's own. Ended at any
    point and run again, it produces the same folders.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    members, summary = read_members(layout), layout.lake.frame(CLUSTER_SUMMARY)
    photos, sheets = photo_paths(members), _sheets(layout, members)
    manifest = manifest_or_found(layout)
    map_page = layout.cluster_reports / MAP_PAGE
    reports = int(take_down(map_page, waiting=len(members), clusters=folders_version(layout)))
    # Everything that is about to be written is claimed first, so that a run that is cut off leaves no file unowned.
    write_manifest(layout, {**dict.fromkeys(sheets, SHEET_KIND), **photos, **manifest})
    moved = _move(layout, manifest, photos)
    written, missing = _write_photos(layout, photos)
    removed = _remove(layout, manifest.keys() - photos.keys() - sheets.keys() - moved)
    drawn = _draw(layout, sheets, manifest)
    digests = {path: f"{SHEET_KIND} {sheet.digest}" for path, sheet in sheets.items()}
    write_manifest(
        layout, {**{path: image_id for path, image_id in photos.items() if image_id not in missing}, **digests}
    )
    events, metrics = layout.lake.frame(CLUSTER_EVENTS), last_metrics(layout)
    reports += write_cluster_tables(layout.cluster_reports, members, summary, events, metrics)
    changes = FolderChanges(
        clusters=int(members.loc[members["cluster_id"] != NOISE, "cluster_id"].nunique()),
        photos=len(photos) - len(missing),
        written=len(moved) + written + drawn + reports,
        removed=removed,
        missing=tuple(sorted(missing)),
    )
    _logger.info("%d files of the cluster folders written, %d removed", changes.written, changes.removed)
    return changes


def folder_problems(layout: Layout) -> list[str]:
    """Return where the folders do not match `unknown_clusters`: a photo missing, in the wrong folder, or too many.

    Files that a person put there are not a problem.
    """
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS, ["image_id", "cluster_id"])
    folders = [cluster_folder_name(cluster_id) for cluster_id in clusters["cluster_id"]]
    wanted = set(zip(folders, clusters["image_id"], strict=True))
    held = {
        (path.partition("/")[0], owner)
        for path, owner in read_manifest(layout).items()
        if not owner.startswith(SHEET_KIND) and (layout.clusters / path).is_file()
    }
    sheets = {(folder, SHEET) for folder in folders if not (layout.clusters / folder / SHEET).is_file()}
    kinds = (
        ("photos of the table are not in their folder", wanted - held),
        ("photos are in a folder where the table has none", held - wanted),
        ("contact sheets are missing", sheets),
    )
    return [f"{len(places)} {what}, {'/'.join(min(places))} among them" for what, places in kinds if places]


def folders_version(layout: Layout) -> str:
    """Return a hash of what the folders follow from; their photos' names change only if it does."""
    return "".join(layout.lake.version(table)[:16] for table in (UNKNOWN_CLUSTERS, UNKNOWN_METADATA))


def read_members(layout: Layout) -> pd.DataFrame:
    """Return the clustered photos with what is known of each, by cluster, noise at the end, the surest first."""
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS, _MEMBER_COLUMNS)
    return noise_last(clusters.merge(layout.lake.frame(UNKNOWN_METADATA), on="image_id", how="left"))


def _by_cluster(members: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the rows of each cluster, in their order, by cluster id."""
    for _, rows in members.groupby("cluster_id", sort=True):
        yield int(rows["cluster_id"].iloc[0]), rows


def photo_paths(members: pd.DataFrame) -> dict[str, str]:
    """Return path below `data/clusters` to image_id; names begin with the rank in the cluster, the surest first."""
    places = {}
    for cluster_id, rows in _by_cluster(members):
        folder, width = cluster_folder_name(cluster_id), max(3, len(str(len(rows))))
        for rank, (image_id, top1) in enumerate(zip(rows["image_id"], rows["top1_class"], strict=True), start=1):
            guess = safe_name(_text(top1), fallback="none", limit=CLASS_LENGTH)
            places[f"{folder}/{rank:0{width}d}_{guess}_{image_id[:ID_LENGTH]}.jpg"] = image_id
    return places


def _sheets(layout: Layout, members: pd.DataFrame) -> dict[str, _Sheet]:
    """Path below `data/clusters` to the sheet of that cluster."""
    return {
        f"{cluster_folder_name(cluster_id)}/{SHEET}": _sheet(layout, cluster_id, rows)
        for cluster_id, rows in _by_cluster(members)
    }


def _sheet(layout: Layout, cluster_id: int, rows: pd.DataFrame) -> _Sheet:
    count = len(rows)
    shown = rows.iloc[chosen_for_sheet(count)]
    frequent = rows["top1_class"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    guesses = ", ".join(f"{name} {number}" for name, number in frequent.head(3).items())
    subtitle = f"First guesses: {guesses}" if guesses else "No first guesses"
    if len(shown) < count:
        subtitle = f"{len(shown)} of {count} shown, from the surest to the least sure. {subtitle}"
    name = "Noise: in no cluster" if cluster_id == NOISE else cluster_name(cluster_id)
    photos = tuple(
        SheetPhoto(layout.image(image_id), guess_text(top1, confidence), image_id[:ID_LENGTH])
        for image_id, top1, confidence in zip(
            shown["image_id"], shown["top1_class"], shown["top1_confidence"], strict=True
        )
    )
    return _Sheet(f"{name} · {count} photo{'' if count == 1 else 's'}", subtitle, photos)


def guess_text(top1: object, confidence: float) -> str:
    """Return a photo's first guess with its confidence, for captions."""
    return _text(top1) + ("" if pd.isna(confidence) else f" {100 * confidence:.1f} %")


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else "none"


def _move(layout: Layout, manifest: Mapping[str, str], photos: Mapping[str, str]) -> set[str]:
    """Rename the photos that are there under another name, and return the old names: newcomers change the ranks."""
    wanted = {image_id: path for path, image_id in photos.items()}
    moved = set()
    for old, image_id in sorted(manifest.items()):
        new = wanted.get(image_id)
        if new is None or new == old or (layout.clusters / new).exists() or not (layout.clusters / old).is_file():
            continue
        with storage_errors(layout.clusters / new):
            make_private((layout.clusters / new).parent)
            (layout.clusters / old).replace(layout.clusters / new)
        moved.add(old)
    _remove_empty({Path(old).parent.as_posix() for old in moved}, layout)
    return moved


def _write_photos(layout: Layout, photos: Mapping[str, str]) -> tuple[int, set[str]]:
    written, missing = 0, set()
    for path, image_id in photos.items():
        if (layout.clusters / path).is_file():
            continue
        try:
            content = without_metadata(layout.image(image_id))
        except PhotoError as error:
            _logger.warning("Photo %s is not in the cluster folders: %s", image_id[:ID_LENGTH], error)
            missing.add(image_id)
            if error.reason == DAMAGED:
                set_damaged_aside(layout, image_id)
            continue
        write_bytes(layout.clusters / path, content)
        written += 1
    return written, missing


def _remove(layout: Layout, paths: set[str]) -> int:
    removed = 0
    for path in sorted(paths):
        with storage_errors(layout.clusters / path):
            if (layout.clusters / path).is_file():
                (layout.clusters / path).unlink()
                removed += 1
    _remove_empty({Path(path).parent.as_posix() for path in paths}, layout)
    return removed


def _remove_empty(folders: set[str], layout: Layout) -> None:
    """Remove folders that hold nothing any more; a folder with a person's notes stays."""
    for folder in folders:
        place = layout.clusters / folder
        if place.is_dir() and not any(place.iterdir()):
            with storage_errors(place):
                place.rmdir()


def _draw(layout: Layout, sheets: Mapping[str, _Sheet], manifest: Mapping[str, str]) -> int:
    drawn = 0
    for path, sheet in sheets.items():
        if manifest.get(path) == f"{SHEET_KIND} {sheet.digest}" and (layout.clusters / path).is_file():
            continue
        write_bytes(layout.clusters / path, contact_sheet(sheet.title, sheet.subtitle, sheet.photos))
        drawn += 1
    return drawn
