"""The map of the UNKNOWN photos: a place on a plane for each, and the page that shows them, coloured by cluster."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd

from meter_pipeline.discovery.cluster_folders import ID_LENGTH, folders_version, guess_text, photo_paths, read_members
from meter_pipeline.discovery.map_page import MapPoint, write_map_page
from meter_pipeline.discovery.map_positions import map_positions
from meter_pipeline.discovery.reports import MAP_PAGE
from meter_pipeline.discovery.unknown_clusters import read_embedded
from meter_pipeline.settings import MapSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_EMBEDDINGS, UNKNOWN_MAP

_logger = logging.getLogger(__name__)

MAP_VERSION = "2"
"""Raised by hand when the same photos get other places: the next run places them anew."""


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

    Reads `unknown_embeddings`. Does nothing where the table was made of the same photos, with the same print, by the
    same model, method and seed. The table is replaced whole: ended at any point and run again, it comes to the same.

    Args:
        layout: the data directory.
        settings: the seed of the layout; the default if None.

    Raises:
        MeterError: an embedding holds NaN or infinity or is all zeros, or the embeddings come from several models.
    """
    seed = (settings or MapSettings()).seed
    placed_with = f"{MAP_VERSION} {seed} {layout.lake.version(UNKNOWN_EMBEDDINGS)}"
    if _is_placed(layout.lake, placed_with):
        _logger.info("The UNKNOWN photos are the same as before: they keep their places on the map.")
        return False
    photos = read_embedded(layout)
    x, y = map_positions(photos.compared(), seed=seed).T
    columns = {"image_id": photos.image_ids, "x": x, "y": y}
    rows = pd.DataFrame(columns).assign(model_version=photos.model_version, placed_with=placed_with)
    layout.lake.replace(UNKNOWN_MAP, rows)
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


def _is_placed(lake: Lake, placed_with: str) -> bool:
    """Whether the table holds the places of the photos that are UNKNOWN now, computed in this way."""
    placed = lake.frame(UNKNOWN_MAP, ["placed_with"])["placed_with"]
    return len(placed) == lake.count(UNKNOWN_EMBEDDINGS) and bool((placed == placed_with).all())


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
