"""Where every file of a data directory is: the one place that spells the folder names of DESIGN section 3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.storage.lake import Lake


@dataclass(frozen=True)
class Layout:
    """The folders of one data directory."""

    root: Path

    @property
    def raw(self) -> Path:
        """Labelled photos, a folder a class (in)."""
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
        """A folder a model version."""
        return self.root / "models"

    @property
    def champion(self) -> Path:
        """Which model is in use."""
        return self.models / "champion.json"

    @property
    def challenger(self) -> Path:
        """Which model the last training that ended came to: the one that is judged."""
        return self.models / "challenger.json"

    @property
    def lake(self) -> Lake:
        """The Parquet tables."""
        return Lake(self.root / "lake")

    @property
    def plates(self) -> Path:
        """What was read on plates, a file a photo."""
        return self.cache / "plates"

    @property
    def cache(self) -> Path:
        """What can be computed again: the frozen trunk's outputs, what plates say, thumbnails."""
        return self.root / "cache"

    def evaluation(self, version: str) -> Path:
        """Evaluation report of a model version."""
        return self.root / "reports" / "evaluation" / version

    @property
    def batch_reports(self) -> Path:
        """Predictions a drop, for people."""
        return self.root / "reports" / "batches"

    @property
    def cluster_reports(self) -> Path:
        """Cluster tables, for people."""
        return self.root / "reports" / "clusters"

    @property
    def clusters(self) -> Path:
        """A folder a cluster of UNKNOWN photos."""
        return self.root / "clusters"

    @property
    def failure_log(self) -> Path:
        """A line a failed run."""
        return self.root / "logs" / "failures.log"

    @property
    def warehouse(self) -> Path:
        """DuckDB views over the lake."""
        return self.root / "warehouse.duckdb"

    def prepare(self) -> None:
        """Make the folders that people put files into."""
        from meter_pipeline.errors import storage_errors

        for folder in (self.raw, self.drops):
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
