"""Where every file of a data directory is: the one place that spells the folder names.

docs/architecture.md says which step writes what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meter_pipeline.labels import NOISE
from meter_pipeline.storage.private_folders import make_private

if TYPE_CHECKING:
    from meter_pipeline.storage.lake import Lake

CLUSTERS_ROOT = "clusters"
NOISE_FOLDER = "noise"
EXPORTS_NOTE, CLUSTERS_NOTE = ".exports.json", ".manifest.json"
"""What was written last for people, beside it: in `Layout.batch_reports` and in `Layout.clusters`."""
CLUSTER_FOLDER = "cluster_{:04d}"
"""Of a cluster id; Python's `format` and DuckDB's read it alike."""
EVALUATION_PAGE, EVALUATION_METRICS = "index.html", "metrics.json"
"""Files in the evaluation folder of a model version."""


@dataclass(frozen=True)
class Layout:
    """The folders of one data directory."""

    root: Path

    @property
    def raw(self) -> Path:
        """Labelled photos, one folder per class (in)."""
        return self.root / "raw"

    @property
    def drops(self) -> Path:
        """Spreadsheets (in)."""
        return self.root / "drops"

    @property
    def processed(self) -> Path:
        """Browsable folders of the split."""
        return self.root / "processed"

    @property
    def images(self) -> Path:
        """Every downloaded photo once."""
        return self.root / "images"

    def image(self, image_id: str) -> Path:
        """Where a photo's bytes are, by SHA-256; the name always ends in .jpg, whatever the bytes are."""
        return self.images / image_id[:2] / f"{image_id}.jpg"

    @property
    def models(self) -> Path:
        """One folder per model version."""
        return self.root / "models"

    @property
    def champion(self) -> Path:
        """Which model is in use."""
        return self.models / "champion.json"

    @property
    def challenger(self) -> Path:
        """Which model the last finished training produced: the one that is judged."""
        return self.models / "challenger.json"

    @property
    def model_history(self) -> Path:
        """Which models came into use and were rolled back, when and why, oldest first."""
        return self.models / "history.json"

    def gate_report(self, version: str) -> Path:
        """What the gate last said of a model version, with its numbers."""
        return self.root / "reports" / "gate" / f"{version}.json"

    @property
    def decisions(self) -> Path:
        """What people decided, one file per decision, in a folder per month (in)."""
        return self.root / "review" / "decisions"

    @property
    def lake(self) -> Lake:
        """The Parquet tables."""
        from meter_pipeline.storage.lake import Lake  # loads pyarrow, which most commands do without

        return Lake(self.root / "lake")

    @property
    def plates(self) -> Path:
        """What was read on plates, one file per photo."""
        return self.cache / "plates"

    @property
    def cache(self) -> Path:
        """What can be computed again: the frozen trunk's outputs, what plates say, thumbnails."""
        return self.root / "cache"

    @property
    def trunk(self) -> Path:
        """The frozen trunk's outputs."""
        return self.cache / "trunk"

    @property
    def thumbnails(self) -> Path:
        """Small pictures, one folder per size."""
        return self.cache / "thumbnails"

    @property
    def inventory_journal(self) -> Path:
        """What an inventory under way has examined; one that was killed goes on from it."""
        return self.cache / "inventory.parquet"

    @property
    def clustering_state(self) -> Path:
        """What the clusters were made from, and how good they are."""
        return self.cache / "clustering.json"

    @property
    def erased(self) -> Path:
        """What was erased by URL or cell, as keyed hashes: it does not come back with the spreadsheet it came with."""
        return self.root / "erased.json"

    @property
    def erasing(self) -> Path:
        """There while an erasure is under way, and after one that was cut off."""
        return self.locks / "erasing"

    @property
    def locks(self) -> Path:
        """Lock files, one per pool."""
        return self.root / "locks"

    @property
    def evaluation_reports(self) -> Path:
        """Evaluation reports, one folder per model version."""
        return self.root / "reports" / "evaluation"

    def evaluation(self, version: str) -> Path:
        """Evaluation report of a model version."""
        return self.evaluation_reports / version

    def evaluation_metrics(self, version: str) -> Path:
        """The single numbers of the evaluation of a model version."""
        return self.evaluation(version) / EVALUATION_METRICS

    @property
    def batch_reports(self) -> Path:
        """Predictions by drop, for people."""
        return self.root / "reports" / "batches"

    @property
    def cluster_reports(self) -> Path:
        """Cluster tables, for people."""
        return self.root / "reports" / "clusters"

    @property
    def clusters(self) -> Path:
        """UNKNOWN photos, one folder per cluster (`cluster_folder_name`)."""
        return self.root / CLUSTERS_ROOT

    @property
    def set_aside(self) -> Path:
        """Damaged files that were put out of the way, by day."""
        return self.root / "set_aside"

    @property
    def failure_log(self) -> Path:
        """One line per failed run."""
        return self.root / "logs" / "failures.log"

    @property
    def warehouse(self) -> Path:
        """DuckDB views over the lake."""
        return self.root / "warehouse.duckdb"

    def prepare(self) -> None:
        """Make the folders that people put files into; new ones are readable by their owner alone."""
        from meter_pipeline.errors import storage_errors

        for folder in (self.raw, self.drops):
            with storage_errors(folder):
                make_private(folder)


def cluster_folder_name(cluster_id: int) -> str:
    """Return the name of a cluster's folder in `Layout.clusters`."""
    return NOISE_FOLDER if cluster_id == NOISE else CLUSTER_FOLDER.format(cluster_id)


def is_cluster_folder(name: str) -> bool:
    """Return whether a folder in `Layout.clusters` is one of ours, by its name."""
    return name == NOISE_FOLDER or name.startswith(CLUSTER_FOLDER.partition("{")[0])
