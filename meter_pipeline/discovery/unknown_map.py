"""The map of the UNKNOWN photos: a place on a plane for each, and the page that shows them, coloured by cluster."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd

from meter_pipeline.discovery.cluster_folders import folders_version, guess_text, photo_paths, read_members
from meter_pipeline.discovery.folder_manifest import ID_LENGTH
from meter_pipeline.discovery.map_page import MapPoint, write_map_page
from meter_pipeline.discovery.map_positions import map_positions
from meter_pipeline.discovery.reports import MAP_PAGE
from meter_pipeline.discovery.unknown_clusters import read_embedded
from meter_pipeline.labels import counted
from meter_pipeline.settings import MapSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_EMBEDDINGS, UNKNOWN_MAP

_logger = logging.getLogger(__name__)

MAP_VERSION = "3"
"""Raised by hand when the same photos get other places: the next run places them anew."""

KEPT_SHARE = 0.5
"""Share of the photos that were laid out together of which no fewer keep their places: then the others fill the map."""
LOOKS = ["image_id", "model_version", "print_hash"]
"""Columns of `unknown_embeddings` that say by what a photo is placed."""


@dataclass(frozen=True)
class DrawnMap:
    """What the map page shows.

    Attributes:
        photos: clustered photos that have a place on it.
        waiting: clustered photos without one: they came while the places were computed.
    """

    photos: int
    waiting: int


def place_unknowns(layout: Layout, settings: MapSettings | None = None) -> bool:
    """Write `unknown_map`, a place for each UNKNOWN photo; return whether any place was computed.

    Reads `unknown_embeddings`. Photos keep their places while all of them have one that was computed together, with the
    same print, by the same model, method and seed, and are at least `KEPT_SHARE` of those that were laid out then: what
    people decide on leaves the map, and the others stay where they are. The table is replaced whole: ended at any point
    and run again, it comes to the same.

    Args:
        layout: the data directory.
        settings: the seed of the layout; the default if None.

    Raises:
        MeterError: an embedding holds NaN or infinity or is all zeros, or the embeddings come from several models.
    """
    seed = (settings or MapSettings()).seed
    kept = _kept_places(layout.lake, f"{MAP_VERSION} {seed}")
    if kept is not None:
        _logger.info(
            "%s on the map.", counted(len(kept), "UNKNOWN photo keeps its place", "UNKNOWN photos keep their places")
        )
        if len(kept) < layout.lake.count(UNKNOWN_MAP):
            layout.lake.replace(UNKNOWN_MAP, kept)
        return False
    photos = read_embedded(layout)
    x, y = map_positions(photos.compared(), seed=seed).T
    rows = photos.table.select(LOOKS).to_pandas().assign(x=x, y=y)
    layout.lake.replace(UNKNOWN_MAP, rows.assign(placed_with=f"{MAP_VERSION} {seed} {len(rows)}"))
    return True


def draw_map(layout: Layout) -> DrawnMap:
    """Write the map page where it changed; its links lead to the cluster folders as they are now.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    members = read_members(layout)
    placed = members.merge(layout.lake.frame(UNKNOWN_MAP, ["image_id", "x", "y"]), on="image_id")
    drawn = DrawnMap(photos=len(placed), waiting=len(members) - len(placed))
    page = layout.cluster_reports / MAP_PAGE
    points = _points(layout, members, placed)
    write_map_page(page, points, waiting=drawn.waiting, clusters=folders_version(layout))
    return drawn


def map_problems(unknown: pd.DataFrame, places: pd.DataFrame) -> list[str]:
    """Return what is wrong with the map: an UNKNOWN photo that is not on it, twice on it, or one that is not UNKNOWN.

    Args:
        unknown: `unknown_embeddings`, column image_id.
        places: `unknown_map`, column image_id.
    """
    wanted, found = set(unknown["image_id"]), set(places["image_id"])
    kinds = (
        ("UNKNOWN photos are not on the map", wanted - found),
        ("photos on the map are not UNKNOWN", found - wanted),
        ("photos are on the map more than once", set(places.loc[places["image_id"].duplicated(), "image_id"])),
    )
    return [f"{len(photos)} {what}, {min(photos)} among them" for what, photos in kinds if photos]


def _kept_places(lake: Lake, method: str) -> pd.DataFrame | None:
    """Return the places that the UNKNOWN photos keep, rows of `unknown_map`; None if they are to be placed anew."""
    photos, placed = lake.frame(UNKNOWN_EMBEDDINGS, LOOKS), lake.frame(UNKNOWN_MAP)
    kept = placed.merge(photos, on=LOOKS)
    if len(kept) < len(photos):
        return None
    for placed_with in placed["placed_with"].unique():
        made_by, _, laid_out = str(placed_with).rpartition(" ")
        if made_by != method or len(kept) < KEPT_SHARE * int(laid_out):
            return None
    return kept


def _points(layout: Layout, members: pd.DataFrame, placed: pd.DataFrame) -> list[MapPoint]:
    paths = {image_id: path for path, image_id in photo_paths(members).items()}
    columns = ("image_id", "x", "y", "cluster_id", "top1_class", "top1_confidence")
    return [
        MapPoint(
            x=x,
            y=y,
            cluster_id=cluster_id,
            caption=f"{guess_text(top1, confidence)} · {image_id[:ID_LENGTH]}",
            link=_link(layout, paths[image_id]),
            photo=layout.image(image_id),
        )
        for image_id, x, y, cluster_id, top1, confidence in zip(*(placed[name] for name in columns), strict=True)
    ]


def _link(layout: Layout, path: str) -> str:
    """Return a photo's exported file, relative to the page; empty where it is lost, damaged or not exported yet."""
    return f"../../clusters/{quote(path)}" if (layout.clusters / path).is_file() else ""
