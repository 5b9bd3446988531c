"""Compares predictions and clusters of the drawn photos with what was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from meter_pipeline.labels import NOISE, FinalLabel
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, UNKNOWN_CLUSTERS, URL_IMAGES


@dataclass(frozen=True)
class Scorecard:
    """How predictions and clusters of the drops compare with what was drawn.

    Attributes:
        final_labels: kind of photo x final label (known class, UNKNOWN, DARK, ERROR), counts of rows.
        known_accuracy: share of the rows of known designs whose top 1 is right, whatever the final label.
        clusters: one row per cluster: cluster_id, photos, mostly (its most frequent design), purity (share of that).
        unseen_found: share of the photos of unseen designs that are in some cluster of which they are the majority.
    """

    final_labels: pd.DataFrame
    known_accuracy: float
    clusters: pd.DataFrame
    unseen_found: float


def score(layout: Layout, truth_csv: Path) -> Scorecard:
    """Compare the tables with the truth.

    Args:
        layout: the data directory.
        truth_csv: columns path (of the URL), kind (known, unseen, dark, ...), design.
    """
    rows = rows_with_truth(layout, truth_csv)
    shown = rows["final_prediction"].where(rows["final_prediction"].isin(list(FinalLabel)), "a class")
    known = rows[rows["kind"] == "known"]

    photos, clustered = photos_with_truth(layout, truth_csv), clusters_with_truth(layout, truth_csv)
    summary = [
        {
            "cluster_id": cluster_id,
            "photos": len(members),
            "purity": members["is"].value_counts(normalize=True).iloc[0],
            "mostly": members["is"].value_counts().index[0],
        }
        for cluster_id, members in clustered[clustered["cluster_id"] != NOISE].groupby("cluster_id")
    ]
    clusters = pd.DataFrame(summary, columns=["cluster_id", "photos", "purity", "mostly"])
    majority = clusters.set_index("cluster_id")["mostly"]
    unseen = clustered[clustered["kind"] == "unseen"]
    unseen_photos = int((photos["kind"] == "unseen").sum())
    found = int((unseen["cluster_id"].map(majority) == unseen["is"]).sum())
    return Scorecard(
        final_labels=pd.crosstab(rows["kind"], shown),
        known_accuracy=float((known["top1_class"] == known["design"]).mean()) if len(known) else float("nan"),
        clusters=clusters,
        unseen_found=found / unseen_photos if unseen_photos else float("nan"),
    )


def rows_with_truth(layout: Layout, truth_csv: Path) -> pd.DataFrame:
    """Return the rows of `batch_predictions` with `kind` and `design`; kind is `not a URL` where there is none."""
    rows = _with_truth(layout.lake.frame(BATCH_PREDICTIONS), truth_csv)
    return rows.assign(kind=rows["kind"].fillna("not a URL"))


def photos_with_truth(layout: Layout, truth_csv: Path) -> pd.DataFrame:
    """Return `kind` and `design` of each fetched photo, by image_id."""
    photos = layout.lake.frame(URL_IMAGES, ["image_url", "image_id"]).dropna()
    return _with_truth(photos, truth_csv).drop_duplicates("image_id").set_index("image_id")


def clusters_with_truth(layout: Layout, truth_csv: Path) -> pd.DataFrame:
    """Return the rows of `unknown_clusters` with `kind`, `design`, and what the photo `is`: its design, or its kind."""
    clustered = layout.lake.frame(UNKNOWN_CLUSTERS).join(photos_with_truth(layout, truth_csv), on="image_id")
    return clustered.assign(**{"is": clustered["design"].where(clustered["design"] != "", clustered["kind"])})


def _with_truth(rows: pd.DataFrame, truth_csv: Path) -> pd.DataFrame:
    truth = pd.read_csv(truth_csv, dtype=str, keep_default_na=False).set_index("path")
    return rows.assign(path=[urlsplit(url).path for url in rows["image_url"].fillna("")]).join(truth, on="path")
