"""Files for people that name an erased row, or show an erased photo."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from meter_pipeline.batches.prediction_exports import PASSED_OVER_ENDING, REFUSED_ENDING
from meter_pipeline.dataset.promoted_files import promoted_name
from meter_pipeline.discovery.reports import CLUSTERED_CSV, CLUSTERS_PAGE, MAP_PAGE
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import UNKNOWN_METADATA

_WITH_TEXT = frozenset({".html", ".csv", ".txt", ".json"})


def exports(layout: Layout, drops: Collection[str]) -> list[Path]:
    """Return the exports of drops, and the notes on them."""
    endings = (".csv", ".xlsx", REFUSED_ENDING, PASSED_OVER_ENDING)
    files = (layout.batch_reports / f"{drop}{ending}" for drop in sorted(drops) for ending in endings)
    return [path for path in files if path.is_file()]


def cluster_reports(layout: Layout, photos: frozenset[str], urls: frozenset[str]) -> list[Path]:
    """Return the cluster tables and pages, if photos that go are in them, or URLs of which photos stay."""
    listed = layout.lake.read(UNKNOWN_METADATA, ["image_id", "image_url"])
    shown = not photos.isdisjoint(listed["image_id"].to_pylist()) or not urls.isdisjoint(
        listed["image_url"].to_pylist()
    )
    if not shown and not _mentioned(layout, photos):
        return []
    return [
        path for name in (CLUSTERED_CSV, CLUSTERS_PAGE, MAP_PAGE) if (path := layout.cluster_reports / name).is_file()
    ]


def evaluation_pages(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return the files of evaluations that name or show promoted photos: the page, and the tables of test photos."""
    names = [promoted_name(image_id).encode() for image_id in photos]
    if not names or not layout.evaluation_reports.is_dir():
        return []
    files = (path for path in sorted(layout.evaluation_reports.rglob("*")) if path.suffix in _WITH_TEXT)
    return [path for path in files if path.is_file() and _holds(path, names)]


def _mentioned(layout: Layout, photos: Collection[str]) -> bool:
    """Return whether the cluster table still names a photo: an erasure was cut off before it was written anew."""
    table = layout.cluster_reports / CLUSTERED_CSV
    return bool(photos) and table.is_file() and _holds(table, [image_id.encode() for image_id in photos])


def _holds(path: Path, words: Collection[bytes]) -> bool:
    content = path.read_bytes()
    return any(word in content for word in words)
