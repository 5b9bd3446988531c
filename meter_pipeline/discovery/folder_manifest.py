"""Which files in the cluster folders are ours: noted as they are written, and found again where the note is damaged."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from meter_pipeline.discovery.reports import SHEET
from meter_pipeline.labels import counted
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.metadata_stripping import without_metadata
from meter_pipeline.storage.layout import CLUSTERS_NOTE, Layout, is_cluster_folder
from meter_pipeline.storage.notes import note_problem, read_note, write_note

MANIFEST = CLUSTERS_NOTE
SHEET_KIND = "sheet"
ID_LENGTH = 12
"""Hex digits of the image_id in names and captions."""
_PHOTO_NAME = re.compile(rf"\d{{3,}}_.+_([0-9a-f]{{{ID_LENGTH}}})\.jpg")
_logger = logging.getLogger(__name__)


def manifest_path(layout: Layout) -> Path:
    """Return the file of the note."""
    return layout.clusters / MANIFEST


def read_manifest(layout: Layout) -> dict[str, str]:
    """Return path below `data/clusters` to the image_id, or to `sheet` and the sheet's digest; empty if damaged."""
    note = read_note(manifest_path(layout), what_follows="The next update finds again which files are ours.")
    return dict(_safe_entries(note))


def manifest_or_found(layout: Layout) -> dict[str, str]:
    """Return what `read_manifest` does; from a damaged note, the files that are ours by their name and their bytes.

    A file that cannot be told for certain is taken for a person's, and stays.
    """
    problem = manifest_problem(layout)
    if problem is None:
        return read_manifest(layout)
    found = dict(_found(layout))
    _logger.warning(
        "%s %s: %s in the cluster folders found to be ours, by name and bytes; all others are left alone.",
        manifest_path(layout),
        problem,
        counted(len(found), "file"),
    )
    return found


def manifest_problem(layout: Layout) -> str | None:
    """Return what is wrong with the note, as the end of a sentence; None if nothing is, or there are no folders yet."""
    if manifest_path(layout).exists():
        return note_problem(manifest_path(layout))
    there = layout.clusters.iterdir() if layout.clusters.is_dir() else ()
    return "is missing" if any(is_cluster_folder(folder.name) for folder in there) else None


def write_manifest(layout: Layout, entries: Mapping[str, str]) -> None:
    """Write the note if it says something else now."""
    damaged = note_problem(manifest_path(layout)) is not None
    if damaged or not manifest_path(layout).exists() or read_manifest(layout) != dict(entries):
        write_note(manifest_path(layout), entries)


def _safe_entries(entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Leave out what a manifest that was tampered with could reach outside the cluster folders."""
    for path, owner in entries.items():
        folder, _, name = path.partition("/")
        if is_cluster_folder(folder) and name and "/" not in name and "\\" not in path:
            yield path, owner


def _found(layout: Layout) -> Iterator[tuple[str, str]]:
    for folder in sorted(layout.clusters.iterdir()):
        if folder.is_symlink() or not folder.is_dir() or not is_cluster_folder(folder.name):
            continue
        ours = {path.name: owner for path in sorted(folder.iterdir()) if (owner := _photo_of(layout, path))}
        yield from ((f"{folder.name}/{name}", owner) for name, owner in ours.items())
        if ours and (folder / SHEET).is_file():
            yield f"{folder.name}/{SHEET}", SHEET_KIND


def _photo_of(layout: Layout, path: Path) -> str | None:
    """Return the photo that a file is the export of: its name says so, and its bytes are what would be written."""
    named = _PHOTO_NAME.fullmatch(path.name)
    if named is None or path.is_symlink() or not path.is_file():
        return None
    digits = named[1]
    for photo in layout.images.glob(f"{digits[:2]}/{digits}*.jpg"):
        try:
            if without_metadata(photo) == path.read_bytes():
                return photo.stem
        except (PhotoError, OSError):
            continue
    return None
