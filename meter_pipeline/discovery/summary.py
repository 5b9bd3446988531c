"""A row a cluster: how many photos of how many meters, whether they show meters at all, what the model guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from meter_pipeline.labels import NOISE
from meter_pipeline.storage.tables import CLUSTER_SUMMARY


def summarise(
    clusters: pd.DataFrame, unit: np.ndarray, metadata: pd.DataFrame, is_meter: np.ndarray | None
) -> pd.DataFrame:
    """Return the rows of `cluster_summary`.

    Args:
        clusters: rows of `unknown_clusters`.
        unit: their embeddings, L2-normalised, photos x dimensions.
        metadata: `unknown_metadata`.
        is_meter: whether each looks like a meter; None where that cannot be told.
    """
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
                "meters": clusters["same_meter"].iloc[members].nunique(),
                "meter_share": None if is_meter is None else float(is_meter[members].mean()),
                "mean_membership": float(clusters["membership"].iloc[members].mean()),
                "top1_class": names.index[0] if len(names) else None,
                "top1_share": float(names.iloc[0] / len(members)) if len(names) else None,
                "mean_top1_confidence": float(confidences.mean()) if confidences.notna().any() else None,
                "representative": None if cluster_id == NOISE else clusters["image_id"].iloc[nearest],
            }
        )
    return pd.DataFrame(rows, columns=list(CLUSTER_SUMMARY.columns))
