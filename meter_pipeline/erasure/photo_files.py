"""Every file that shows a photo or was made from it alone, by its image_id."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from meter_pipeline.dataset.promoted_files import is_promotions_own, promoted_name
from meter_pipeline.discovery.folder_manifest import ID_LENGTH, manifest_path, read_manifest
from meter_pipeline.discovery.reports import SHEET
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.notes import note_problem


def stored_photos(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return the photos in the store, and damaged ones that were set aside."""
    found = [path for image_id in photos if (path := layout.image(image_id)).is_file()]
    aside = layout.set_aside.rglob("*.jpg") if layout.set_aside.is_dir() else ()
    return [*found, *(path for path in aside if path.stem.partition("_")[0] in photos)]


def cached_files(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return thumbnails, what was read on plates, and what the frozen trunk made of the photos."""
    kinds = [folder for cache in (layout.thumbnails, layout.plates, layout.trunk) for folder in _folders(cache)]
    return [
        path for folder in kinds for image_id in photos for path in sorted((folder / image_id[:2]).glob(f"{image_id}*"))
    ]


def cluster_pictures(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return the photos in the cluster folders, and the contact sheets of these folders."""
    digits = {image_id[:ID_LENGTH] for image_id in photos}
    noted = read_manifest(layout) if note_problem(manifest_path(layout)) is None else {}
    ours = {layout.clusters / path for path, owner in noted.items() if owner in photos}
    ours |= {path for path in layout.clusters.glob("*/*.jpg") if path.stem.rpartition("_")[2] in digits}
    sheets = {path.parent / SHEET for path in ours}
    return sorted(path for path in ours | sheets if path.is_file() and not path.is_symlink())


def promoted_copies(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return the copies in data/raw that promotion made of the photos and that nobody changed since."""
    named = {promoted_name(image_id): image_id for image_id in photos}
    return [
        path
        for folder in _folders(layout.raw)
        for path in sorted(folder.glob("reviewed-*.jpg"))
        if path.name in named
        and not path.is_symlink()
        and is_promotions_own(f"{folder.name}/{path.name}", named[path.name])
        and sha256_of(path) == named[path.name]
    ]


def processed_files(layout: Layout, photos: Collection[str]) -> list[Path]:
    """Return what stands for promoted copies of the photos in data/processed."""
    stems = {Path(promoted_name(image_id)).stem for image_id in photos}
    return [path for path in sorted(layout.processed.glob("*/*/reviewed-*")) if path.stem.rpartition("-")[0] in stems]


def _folders(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.iterdir()) if path.is_dir()) if folder.is_dir() else ()
