"""The cluster tables for people, under `data/reports/clusters/`: CSVs, and a page that shows all clusters at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from meter_pipeline.labels import HARDLY_METERS, NOISE
from meter_pipeline.storage.csv_cells import Cell, csv_bytes
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.html_pages import render
from meter_pipeline.storage.layout import cluster_folder_name
from meter_pipeline.storage.tables import TOP3_COLUMNS

CLUSTERED_CSV, SUMMARY_CSV, EVENTS_CSV = "unknown_clustered.csv", "cluster_summary.csv", "cluster_events.csv"
CLUSTERS_PAGE, MAP_PAGE = "index.html", "map.html"
SHEET = "contact_sheet.jpg"
"""The contact sheet in the folder of each cluster."""
_CLUSTERED_COLUMNS = (
    "image_url",
    "image_id",
    "cluster_id",
    *TOP3_COLUMNS,
    "final_prediction",
    "membership",
    "same_meter",
    "previous_cluster_id",
    "reason",
    "folder",
)
_SUMMARY_COLUMNS = (
    "cluster_id",
    "count",
    "meters",
    "meter_share",
    "sureness",
    "top1_class",
    "top1_share",
    "mean_top1_confidence",
    "mean_membership",
    "representative",
    "folder",
)
_PERCENT_COLUMNS = frozenset(
    {"meter_share", "sureness", "top1_share", "mean_top1_confidence", *(f"top{k}_confidence" for k in (1, 2, 3))}
)


def write_cluster_tables(
    folder: Path, members: pd.DataFrame, summary: pd.DataFrame, events: pd.DataFrame, metrics: Mapping[str, float]
) -> int:
    """Write `unknown_clustered.csv`, `cluster_summary.csv`, `cluster_events.csv` and `index.html` where they changed.

    The embeddings stay in the lake (`unknown_embeddings`): nobody reads a thousand columns of numbers.

    Args:
        folder: `data/reports/clusters`.
        members: `unknown_clusters` with the columns of `unknown_metadata` beside them.
        summary: `cluster_summary`.
        events: `cluster_events`.
        metrics: measures of the clusters that need no truth, by name.

    Returns:
        The number of files written.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    ordered = noise_last(members)
    ordered["folder"] = ordered["cluster_id"].map(cluster_folder_name)
    counts = noise_last(summary)
    counts["folder"] = counts["cluster_id"].map(cluster_folder_name)
    counts["name"] = counts["cluster_id"].map(cluster_name)
    contents = {
        CLUSTERED_CSV: _csv(ordered, _CLUSTERED_COLUMNS),
        SUMMARY_CSV: _csv(counts, _SUMMARY_COLUMNS),
        EVENTS_CSV: _csv(events.sort_values(["revision", "cluster_id"]), tuple(events.columns)),
        CLUSTERS_PAGE: _page(counts, metrics).encode(),
    }
    changed = [name for name, content in contents.items() if not _holds(folder / name, content)]
    for name in changed:
        write_bytes(folder / name, contents[name])
    return len(changed)


def cluster_name(cluster_id: int) -> str:
    """Return what a cluster is called on pages and sheets."""
    return "Noise" if cluster_id == NOISE else f"Cluster {cluster_id}"


def noise_last(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows by cluster, noise at the end, the surest members first."""
    by = ["cluster_id", "membership", "image_id"] if "membership" in rows else ["cluster_id"]
    ordered = rows.sort_values(by, ascending=[True, False, True][: len(by)], kind="stable")
    is_noise = ordered["cluster_id"] == NOISE
    return pd.concat([ordered[~is_noise], ordered[is_noise]], ignore_index=True)


def _csv(frame: pd.DataFrame, columns: tuple[str, ...]) -> bytes:
    return csv_bytes(columns, list(zip(*(_cells(frame, name) for name in columns), strict=True)))


def _cells(frame: pd.DataFrame, name: str) -> list[Cell]:
    values = [None if pd.isna(value) else value for value in frame[name].tolist()]
    if name == "previous_cluster_id":
        values = [None if value is None else int(value) for value in values]
    scale = 100 if name in _PERCENT_COLUMNS else 1
    return [f"{value * scale:.2f}" if isinstance(value, float) else value for value in values]


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _page(summary: pd.DataFrame, metrics: Mapping[str, float]) -> str:
    return render(
        "meter_pipeline.discovery",
        "clusters.html",
        clusters=summary.astype(object).where(summary.notna(), None).to_dict("records"),
        metrics=metrics,
        hardly_meters=HARDLY_METERS,
        map_page=MAP_PAGE,
        sheet=SHEET,
    )
