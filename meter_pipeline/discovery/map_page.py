"""The map of the UNKNOWN photos as an interactive page that works offline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from meter_pipeline.discovery.reports import CLUSTERS_PAGE, cluster_name
from meter_pipeline.labels import NOISE
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.thumbnails import small_jpeg
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.html_pages import render

TEMPLATE = "map.html"
MOST_POINTS, MOST_PICTURES = 50_000, 1_500
"""Points on the page; how many of them carry a small picture (2 to 3 kB each), the others show the photo's file."""
PICTURE_SIDE, PICTURE_QUALITY = 112, 60
PHOTOS_AHEAD = 64


@dataclass(frozen=True)
class MapPoint:
    """A photo on the map.

    Attributes:
        x: place, in the units of `map_positions`.
        y: likewise.
        cluster_id: its cluster, -1 for noise.
        caption: what is said of the photo.
        link: its exported file, relative to the page; without metadata. Empty if it is not exported.
        photo: its file in the store, for the small picture.
    """

    x: float
    y: float
    cluster_id: int
    caption: str
    link: str
    photo: Path


def write_map_page(path: Path, points: Sequence[MapPoint], *, waiting: int, clusters: str) -> bool:
    """Write the page where it changed, and say whether it did.

    Args:
        path: of the page.
        points: the photos; of more than `MOST_POINTS`, this many are shown, evenly chosen.
        waiting: UNKNOWN photos that have no place on the map yet; the page says how many.
        clusters: stands for the clusters that the page shows and the folders that it links to, for `take_down`.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    shown = [points[place] for place in _evenly(len(points), MOST_POINTS)]
    # Without the pictures, which take most of the time, the page says whether anything on it changed.
    words = _page(shown, count=len(points), pictures={}, waiting=waiting, clusters=clusters)
    digest = hashlib.sha256(json.dumps([words, [point.photo.name for point in shown]]).encode()).hexdigest()
    if path.is_file() and _begins_with(path, f'content="{digest}"'):
        return False
    with_picture = _evenly(len(shown), MOST_PICTURES)
    photos = [shown[place].photo for place in with_picture]
    pictures = dict(zip(with_picture, in_parallel(_small_picture, photos, ahead=PHOTOS_AHEAD), strict=True))
    page = _page(shown, count=len(points), pictures=pictures, waiting=waiting, clusters=clusters, digest=digest)
    write_bytes(path, page.encode())
    return True


def take_down(path: Path, *, waiting: int, clusters: str) -> bool:
    """Replace a page of other clusters, whose links would soon be broken, by one that says that the map is to be made.

    Args:
        path: of the page.
        waiting: UNKNOWN photos that there are.
        clusters: stands for the clusters as they are now; a page that shows these stays.

    Returns:
        Whether anything was written.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    if path.is_file() and _begins_with(path, f'content="{clusters}"'):
        return False
    notice = _page([], count=0, pictures={}, waiting=waiting).encode()
    if path.is_file() and path.read_bytes() == notice:
        return False
    write_bytes(path, notice)
    return True


def _page(
    shown: Sequence[MapPoint],
    *,
    count: int,
    pictures: Mapping[int, str],
    waiting: int,
    clusters: str = "",
    digest: str = "",
) -> str:
    """Return the page of these of `count` photos, with a picture as base64 of some, by their places."""
    ids = sorted({point.cluster_id for point in shown}, key=lambda cluster_id: (cluster_id == NOISE, cluster_id))
    number = {cluster_id: place for place, cluster_id in enumerate(ids)}
    rows = [
        [
            round(point.x, 3),
            round(point.y, 3),
            number[point.cluster_id],
            point.caption,
            point.link,
            pictures.get(place, ""),
        ]
        for place, point in enumerate(shown)
    ]
    data = {"clusters": [cluster_name(cluster_id) for cluster_id in ids], "points": rows}
    return render(
        "meter_pipeline.discovery",
        TEMPLATE,
        digest=digest,
        clusters=clusters,
        data=data,
        count=count,
        shown=len(shown),
        waiting=waiting,
        clusters_page=CLUSTERS_PAGE,
    )


def _begins_with(path: Path, mark: str) -> bool:
    with path.open(encoding="utf-8") as handle:
        return mark in handle.read(1000)


def _evenly(count: int, most: int) -> list[int]:
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).astype(int).tolist()


def _small_picture(photo: Path) -> str:
    """A small JPEG as base64; empty if the photo cannot be read."""
    try:
        content = small_jpeg(
            photo,
            side=PICTURE_SIDE,
            quality=PICTURE_QUALITY,
            resampling=Image.Resampling.BILINEAR,
            optimize=False,
        )
    except PhotoError:
        return ""
    return base64.b64encode(content).decode()
