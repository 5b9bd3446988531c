"""The map of the UNKNOWN photos: a place on a plane for each, and the page that shows them, coloured by cluster."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pandas as pd

from meter_pipeline.discovery.cluster_folders import folders_version, guess_text, photo_paths, read_members
from meter_pipeline.discovery.folder_manifest import ID_LENGTH
from meter_pipeline.discovery.map_page import MapPoint, write_map_page
from meter_pipeline.discovery.map_positions import SMALLEST_FOR_UMAP, beside, map_positions
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
BESIDE_SHARE = 0.1
"""Share of the photos that were laid out together; up to it, new photos are put beside those that they look like."""
_BESIDE = " beside"
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

    Reads `unknown_embeddings`. Photos keep their places while they are at least `KEPT_SHARE` of those that were laid
    out together, with the same print, by the same model, method and seed: what people decide on leaves the map, and the
    others stay where they are. To a layout of many photos, new ones are added beside the three that they look most
    like, until they are `BESIDE_SHARE` of it: so much stays true of it, and a new drop need not wait for a layout of
    all. The table is replaced whole: ended at any point and run again, it comes to the same.

    Args:
        layout: the data directory.
        settings: the seed of the layout; the default if None.

    Raises:
        MeterError: an embedding holds NaN or infinity or is all zeros, or the embeddings come from several models.
    """
    seed = (settings or MapSettings()).seed
    method, lake = f"{MAP_VERSION} {seed}", layout.lake
    kept, new = _kept_places(lake, method)
    if kept is not None and not new:
        _logger.info("%s.", counted(len(kept), "UNKNOWN photo keeps its place", "UNKNOWN photos keep their places"))
        if len(kept) < lake.count(UNKNOWN_MAP):
            lake.replace(UNKNOWN_MAP, kept)
        return False
    photos = read_embedded(layout)
    looks, compared = photos.table.select(LOOKS).to_pandas(), photos.compared()
    rows = _with_new_beside(kept, looks, compared) if kept is not None else None
    if rows is None:
        x, y = map_positions(compared, seed=seed).T
        rows = looks.assign(x=x, y=y, placed_with=f"{method} {len(looks)}")
    else:
        _logger.info(
            "%s beside those that they look like.",
            counted(new, "new UNKNOWN photo is put", "new UNKNOWN photos are put"),
        )
    lake.replace(UNKNOWN_MAP, rows)
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


def _kept_places(lake: Lake, method: str) -> tuple[pd.DataFrame | None, int]:
    """Return the places that UNKNOWN photos keep, and how many photos have none.

    The places are rows of `unknown_map`; None if all are to be placed anew.
    """
    photos, placed = lake.frame(UNKNOWN_EMBEDDINGS, LOOKS), lake.frame(UNKNOWN_MAP)
    kept = placed.merge(photos, on=LOOKS)
    were_laid_out = int((~_is_beside(kept)).sum())
    for placed_with in placed["placed_with"].unique():
        made_by, _, laid_out = str(placed_with).removesuffix(_BESIDE).rpartition(" ")
        if made_by != method or were_laid_out < KEPT_SHARE * int(laid_out):
            return None, len(photos)
    return kept, len(photos) - len(kept)


def _with_new_beside(kept: pd.DataFrame, looks: pd.DataFrame, compared: np.ndarray) -> pd.DataFrame | None:
    """Return `unknown_map` with places for those photos that have none yet, each placed by those laid out alone.

    None if too many came since, or too few were laid out together: then all are placed anew.
    """
    rows = looks.merge(kept, on=LOOKS, how="left")
    is_new = rows["x"].isna().to_numpy()
    is_laid_out = ~is_new & ~_is_beside(rows).to_numpy()
    if not is_laid_out.any():
        return None
    with_whom = str(rows.loc[is_laid_out, "placed_with"].iloc[0])
    laid_out = int(with_whom.rpartition(" ")[2])
    if laid_out < SMALLEST_FOR_UMAP or (~is_laid_out).sum() > BESIDE_SHARE * laid_out:
        return None
    places = rows.loc[is_laid_out, ["x", "y"]].to_numpy(float)
    rows.loc[is_new, ["x", "y"]] = beside(compared[is_new], compared[is_laid_out], places)
    rows.loc[is_new, "placed_with"] = f"{with_whom}{_BESIDE}"
    return rows


def _is_beside(places: pd.DataFrame) -> pd.Series:
    """Return which photos were put beside those laid out together; a photo without a place was not."""
    return places["placed_with"].astype(str).str.endswith(_BESIDE)


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
