"""The map of the UNKNOWN photos: a place in the plane for each, and an interactive page that works offline."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.clustering import SMALLEST_REDUCED_SET, different_photos
from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.storage.files import write_bytes

MAP_NEIGHBORS = 15
MAP_MIN_DISTANCE = 0.15
"""Photos of one design lie apart enough to be pointed at."""
LARGEST_FITTED = 20_000
"""Photos laid out by UMAP; more are put where their nearest three of these are."""
MOST_POINTS, MOST_THUMBNAILS = 50_000, 1_500
"""Points on the page; how many of them carry a small picture (2 to 3 kB each), the others show the photo's file."""
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 112, 60
PHOTOS_AHEAD = 64
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class MapPoint:
    """A photo on the map.

    Attributes:
        x: place, in the units of `map_positions`.
        y: likewise.
        cluster: its name, as in the legend.
        caption: what is said of the photo.
        link: its exported file, relative to the page; without metadata.
        photo: its file in the store, for the small picture.
    """

    x: float
    y: float
    cluster: str
    caption: str
    link: str
    photo: Path


def map_positions(unit: np.ndarray, *, seed: int) -> np.ndarray:
    """Return a place in the plane for each photo: what looks alike is near.

    Sets with fewer than 15 different photos are laid out by PCA. The same input and seed give the same bits.

    Args:
        unit: photos x dimensions, L2-normalised.
        seed: of the layout.

    Returns:
        photos x 2, float64, centred.
    """
    if len(unit) == 0:
        return np.zeros((0, 2))
    with threadpool_limits(1):
        different, copy_of, _ = different_photos(unit)
        if len(different) < SMALLEST_REDUCED_SET:
            axes = min(2, len(different) - 1, different.shape[1])
            places = np.zeros((len(different), 2))
            if axes:
                places[:, :axes] = PCA(axes, svd_solver="full").fit_transform(different.astype(np.float64))
        elif len(different) <= LARGEST_FITTED:
            places = _umap(different, seed)
        else:
            chosen = np.sort(np.random.default_rng(seed).choice(len(different), LARGEST_FITTED, replace=False))
            places = _beside(different, different[chosen], _umap(different[chosen], seed))
    return (places - places.mean(axis=0))[copy_of]


def write_map_page(path: Path, points: Sequence[MapPoint]) -> bool:
    """Write the page where it changed, and say whether it did.

    Args:
        path: of the page.
        points: the photos; above `MOST_POINTS` every n-th is shown.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    shown = [points[place] for place in _evenly(len(points), MOST_POINTS)]
    clusters = sorted({point.cluster for point in shown}, key=_natural)
    rows = [
        [round(point.x, 3), round(point.y, 3), clusters.index(point.cluster), point.caption, point.link]
        for point in shown
    ]
    names = [point.photo.name for point in shown]
    template = Path(__file__).parent / "templates" / "map.html"
    digest = hashlib.sha256(json.dumps([template.read_text(encoding="utf-8"), len(points), rows, names]).encode())
    mark = f'content="{digest.hexdigest()}"'
    if path.is_file() and _begins_with(path, mark):
        return False
    with_picture = _evenly(len(shown), MOST_THUMBNAILS)
    photos = [shown[place].photo for place in with_picture]
    pictures = dict(zip(with_picture, in_parallel(_thumbnail, photos, ahead=PHOTOS_AHEAD), strict=True))
    data = {"clusters": clusters, "points": [[*row, pictures.get(place, "")] for place, row in enumerate(rows)]}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template(template.name).render(
        digest=digest.hexdigest(), data=data, count=len(points), shown=len(shown)
    )
    write_bytes(path, page.encode())
    return True


def _umap(unit: np.ndarray, seed: int) -> np.ndarray:
    neighbors = min(MAP_NEIGHBORS, len(unit) - 1)
    return reduce_umap(unit, dimensions=2, neighbors=neighbors, seed=seed, min_distance=MAP_MIN_DISTANCE)


def _beside(unit: np.ndarray, fitted: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Mean place of the three nearest fitted photos; a fitted photo is its own nearest and stays near its place."""
    found = np.empty((len(unit), 2))
    for start in range(0, len(unit), _BLOCK_ROWS):
        similarity = unit[start : start + _BLOCK_ROWS] @ fitted.T
        nearest = np.argpartition(similarity, -3, axis=1)[:, -3:]
        found[start : start + _BLOCK_ROWS] = places[nearest].mean(axis=1)
    return found


def _begins_with(path: Path, mark: str) -> bool:
    with path.open(encoding="utf-8") as handle:
        return mark in handle.read(1000)


def _evenly(count: int, most: int) -> list[int]:
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).astype(int).tolist()


def _natural(cluster: str) -> tuple[bool, int, str]:
    """Clusters by number, what has none (noise) last."""
    number = cluster.rpartition(" ")[2]
    return not number.isdigit(), int(number) if number.isdigit() else 0, cluster


def _thumbnail(photo: Path) -> str:
    """A small JPEG without metadata as base64; empty where the photo cannot be read."""
    try:
        image = open_photo(photo, smallest_side=THUMBNAIL_SIDE).image
    except PhotoError:
        return ""
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()
