"""UNKNOWN photos into clusters with stable ids: reads their embeddings from the lake, writes clusters, summary and events."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from meter_pipeline.core.layout import Layout


@dataclass(frozen=True)
class Discovery:
    """What a clustering of the UNKNOWN photos came to, for the log and the UI."""

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
    were made from (`changed` is False).

    Raises:
        MeterError: an embedding holds NaN.
    """
    raise NotImplementedError


def cluster_problems(unknown: pd.DataFrame, clusters: pd.DataFrame) -> list[str]:
    """Return what is wrong with the clusters: an UNKNOWN photo that is in none and is not noise, in two, or not UNKNOWN.

    Args:
        unknown: `unknown_embeddings`, column image_id.
        clusters: `unknown_clusters`, columns image_id and cluster_id.
    """
    raise NotImplementedError
