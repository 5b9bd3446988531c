"""UNKNOWN photos into clusters with stable ids: from their embeddings in the lake to clusters, summary and events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from meter_pipeline.core.cluster_ids import match_clusters
from meter_pipeline.core.cluster_metrics import silhouette
from meter_pipeline.core.clustering import NOISE, cluster
from meter_pipeline.core.files import read_json, write_json
from meter_pipeline.core.lake import Lake, vectors
from meter_pipeline.core.layout import Layout
from meter_pipeline.core.tables import (
    CLUSTER_EVENTS,
    CLUSTER_SUMMARY,
    UNKNOWN_CLUSTERS,
    UNKNOWN_EMBEDDINGS,
    UNKNOWN_METADATA,
)
from meter_pipeline.errors import MeterError

log = logging.getLogger(__name__)

METHOD_VERSION = "1"
"""Raised by hand when the clustering gives other clusters for the same embeddings: the next run clusters anew."""
CLUSTERED_COLUMNS = ("embedding",)
"""Columns of `unknown_embeddings` that are compared; several are put side by side, each at length 1."""
WEAK_SILHOUETTE = 0.12
"""Photos of one design fall apart at 0.03 to 0.14, those of several designs at 0.14 to 0.34 (0004-clusters.md)."""


@dataclass(frozen=True)
class Discovery:
    """What a clustering of the UNKNOWN photos came to, for the log and the UI.

    Attributes:
        photos: UNKNOWN photos.
        clusters: clusters now.
        noise: photos in none.
        revision: of `cluster_events`; one more than before where a cluster won or lost photos.
        changed: whether anything was computed.
        note: what a person should know; empty where nothing is special.
        parameters: of the clustering.
        metrics: label-free measures.
    """

    photos: int
    clusters: int
    noise: int
    revision: int
    changed: bool
    note: str = ""
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def cluster_unknowns(layout: Layout, *, min_cluster_size: int | None, seed: int) -> Discovery:
    """Cluster the UNKNOWN photos and write `unknown_clusters`, `cluster_summary` and `cluster_events`.

    Reads `unknown_embeddings` and `unknown_metadata`. Does nothing where these and the parameters are what the tables
    were made from (`changed` is False). Ended at any point and run again, it comes to the same tables.

    Raises:
        MeterError: an embedding holds NaN or is all zeros, or the embeddings come from several models.
    """
    lake, state_path = layout.lake, layout.cache / "clustering.json"
    inputs = {
        "method": METHOD_VERSION,
        "min_cluster_size": min_cluster_size,
        "seed": seed,
        "embeddings": lake.version(UNKNOWN_EMBEDDINGS),
        "metadata": lake.version(UNKNOWN_METADATA),
    }
    state = read_json(state_path) if state_path.exists() else {}
    if state.get("inputs") == inputs and state.get("outputs") == _output_versions(lake):
        log.info("The UNKNOWN photos are the same as before: %d clusters stay.", state["result"]["clusters"])
        return Discovery(**{**state["result"], "changed": False})
    result = _cluster_anew(lake, min_cluster_size, seed)
    write_json(state_path, {"inputs": inputs, "outputs": _output_versions(lake), "result": asdict(result)})
    return result


def cluster_problems(unknown: pd.DataFrame, clusters: pd.DataFrame) -> list[str]:
    """Return what is wrong with the clusters: an UNKNOWN photo in none and not noise, one in two, one not UNKNOWN.

    Args:
        unknown: `unknown_embeddings`, column image_id.
        clusters: `unknown_clusters`, columns image_id and cluster_id.
    """
    wanted, found = set(unknown["image_id"]), set(clusters["image_id"])
    places = clusters.drop_duplicates(["image_id", "cluster_id"])["image_id"].value_counts()
    kinds = (
        ("UNKNOWN photos are in no cluster and not noise", wanted - found),
        ("photos in the clusters are not UNKNOWN", found - wanted),
        ("photos are in more than one cluster", set(places.index[places > 1])),
        ("photos have a cluster id below -1", set(clusters.loc[clusters["cluster_id"] < NOISE, "image_id"])),
    )
    return [f"{len(photos)} {what}, {min(photos)} among them" for what, photos in kinds if photos]


def _output_versions(lake: Lake) -> dict[str, str]:
    return {spec.name: lake.version(spec) for spec in (UNKNOWN_CLUSTERS, CLUSTER_SUMMARY, CLUSTER_EVENTS)}


def _cluster_anew(lake: Lake, min_cluster_size: int | None, seed: int) -> Discovery:
    table = lake.read(UNKNOWN_EMBEDDINGS).sort_by("image_id")
    unit = _compared(table)
    image_ids = table["image_id"].to_pylist()
    log.info("Clustering %d UNKNOWN photos", len(image_ids))
    found = cluster(unit, min_cluster_size=min_cluster_size, seed=seed)

    previous, events = lake.frame(UNKNOWN_CLUSTERS), lake.frame(CLUSTER_EVENTS)
    revision = _finished_revision(previous, events)
    events = events[events["revision"] <= revision]
    next_id = int(events["cluster_id"].max()) + 1 if len(events) else 0
    labels = dict(zip(image_ids, found.labels.tolist(), strict=True))
    matched = match_clusters(previous[["image_id", "cluster_id"]], labels, next_id=next_id)
    if len(matched.events):
        revision += 1
        log.info("Changed clusters: %s", matched.events["event"].value_counts().sort_index().to_dict())
    # The clusters carry the revision and are written between the other two: a run that ended before them left events
    # of a revision that they do not know, which are dropped; one that ended after them left only the summary to do.
    lake.replace(CLUSTER_EVENTS, pd.concat([events, matched.events.assign(revision=revision)], ignore_index=True))
    clusters = matched.clusters.assign(membership=found.membership, revision=revision)
    lake.replace(UNKNOWN_CLUSTERS, clusters)
    lake.replace(CLUSTER_SUMMARY, _summary(clusters, unit, lake.frame(UNKNOWN_METADATA)))

    separation = silhouette(unit, found.labels)
    notes = [found.note] if found.note else []
    if found.count > 1 and separation < WEAK_SILHOUETTE:
        notes.append("The clusters are hardly apart; several of them may show one design.")
    noise = int((found.labels == NOISE).sum())
    log.info("%d clusters, %d of %d photos are noise", found.count, noise, len(image_ids))
    return Discovery(
        photos=len(image_ids),
        clusters=found.count,
        noise=noise,
        revision=revision,
        changed=True,
        note=" ".join(notes),
        parameters=found.parameters,
        metrics={
            "silhouette": round(separation, 4),
            "share_in_clusters": round(1 - noise / len(image_ids), 4) if image_ids else 0.0,
        },
    )


def _compared(table: pa.Table) -> np.ndarray:
    """Return what is compared, photos x dimensions: the chosen columns side by side, each at length 1."""
    models = sorted(set(table["model_version"].to_pylist()))
    if len(models) > 1:
        raise MeterError(
            f"The UNKNOWN embeddings come from {len(models)} models ({', '.join(map(str, models))}).",
            where=UNKNOWN_EMBEDDINGS.name,
            fix="Run batch_predictions and unknown_embeddings again, so that all are of the champion.",
        )
    parts = []
    for column in CLUSTERED_COLUMNS:
        matrix = vectors(table, column)
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        parts.append(matrix / np.where(lengths == 0, 1.0, lengths))
    return np.concatenate(parts, axis=1)


def _finished_revision(clusters: pd.DataFrame, events: pd.DataFrame) -> int:
    """Return the revision that the clusters table holds; a later one in the events was not finished."""
    if len(clusters):
        return int(clusters["revision"].max())
    if events.empty:
        return 0
    last = events.sort_values("revision").drop_duplicates("cluster_id", keep="last")
    newest = int(events["revision"].max())
    # No photo has a cluster: finished if every cluster is gone by then, else an end came before the table was written.
    return newest if (last["event"] == "gone").all() else newest - 1


def _summary(clusters: pd.DataFrame, unit: np.ndarray, metadata: pd.DataFrame) -> pd.DataFrame:
    known = metadata.set_index("image_id")[["top1_class", "top1_confidence"]].reindex(clusters["image_id"])
    rows: list[Mapping[str, Any]] = []
    for cluster_id in sorted(clusters["cluster_id"].unique()):
        members = np.flatnonzero(clusters["cluster_id"] == cluster_id)
        names = (
            known["top1_class"].iloc[members].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        )
        confidences = known["top1_confidence"].iloc[members]
        nearest = members[int(np.argmax(unit[members] @ unit[members].mean(axis=0)))]
        rows.append(
            {
                "cluster_id": int(cluster_id),
                "count": len(members),
                "mean_membership": float(clusters["membership"].iloc[members].mean()),
                "top1_class": names.index[0] if len(names) else None,
                "top1_share": float(names.iloc[0] / len(members)) if len(names) else None,
                "mean_top1_confidence": float(confidences.mean()) if confidences.notna().any() else None,
                "representative": None if cluster_id == NOISE else clusters["image_id"].iloc[nearest],
            }
        )
    return pd.DataFrame(rows, columns=list(CLUSTER_SUMMARY.columns))
