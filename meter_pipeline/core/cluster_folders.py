"""The cluster folders that people open: photos without metadata, a contact sheet a cluster, CSVs and a page of links."""

from __future__ import annotations

from dataclasses import dataclass

from meter_pipeline.core.layout import Layout


@dataclass(frozen=True)
class FolderChanges:
    """What a pass over the folders did."""

    clusters: int
    photos: int
    written: int
    removed: int
    missing: tuple[str, ...] = ()


def write_cluster_folders(layout: Layout) -> FolderChanges:
    """Bring `data/clusters/` and `data/reports/clusters/` in line with the tables; what did not change is not touched.

    Only files written here (by the manifest) are removed or replaced, never a person's own.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    raise NotImplementedError


def folder_problems(layout: Layout) -> list[str]:
    """Return where the folders do not match `unknown_clusters`: a photo missing, in the wrong folder, or too many."""
    raise NotImplementedError
