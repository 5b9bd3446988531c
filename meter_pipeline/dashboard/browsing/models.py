"""Models to look at: the champion's card, its evaluation, and the versions before it, read from their files alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meter_pipeline.storage.csv_cells import unsafe_cell
from meter_pipeline.storage.files import read_json
from meter_pipeline.storage.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

CARD = "model.json"
EVALUATION_TABLES = ("confusion_matrix", "reliability", "coverage", "classification_report", "confused_pairs")


@dataclass(frozen=True)
class ChampionFile:
    """Which model is in use.

    Attributes:
        version: the model; None where none is in use yet.
        since: UTC, ISO 8601.
        reason: what the gate said.
    """

    version: str | None = None
    since: str = ""
    reason: str = ""


@dataclass(frozen=True)
class EvaluationFiles:
    """A model's evaluation as it was written for people.

    Attributes:
        folder: where it is.
        metrics: `metrics.json`; empty where there is none.
        tables: by name (`EVALUATION_TABLES`), as they are in the CSVs; those that are not there are left out.
    """

    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def page(self) -> Path | None:
        """The evaluation page; None where there is none."""
        path = self.folder / "index.html"
        return path if path.is_file() else None


def champion(layout: Layout) -> ChampionFile:
    """Return which model is in use."""
    if not layout.champion.exists():
        return ChampionFile()
    found = read_json(layout.champion)
    return ChampionFile(found["version"], found.get("since", ""), found.get("reason", ""))


def read_card(layout: Layout, version: str) -> dict[str, Any]:
    """Return a model's card as it was written; empty where it cannot be read."""
    try:
        card = read_json(layout.models / version / CARD)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return card if isinstance(card, dict) else {}


def read_evaluation(layout: Layout, version: str) -> EvaluationFiles:
    """Return a model's evaluation; without metrics and tables where it was not evaluated."""
    import pandas as pd

    folder = layout.evaluation(version)
    metrics = folder / "metrics.json"
    tables = {}
    for name in EVALUATION_TABLES:
        path = folder / f"{name}.csv"
        if path.is_file():
            table = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
            tables[name] = table.map(lambda cell: unsafe_cell(cell) if isinstance(cell, str) else cell)
    return EvaluationFiles(folder, read_json(metrics) if metrics.is_file() else {}, tables)


def list_versions(layout: Layout) -> list[dict[str, Any]]:
    """Return a row a model, the newest first.

    version, in_use, created_at, backbone, classes, photos (trained on), accuracy and macro_recall on its own test
    photos, gate (what the gate said); what is not known is None.
    """
    in_use = champion(layout).version
    rows = []
    for path in sorted(layout.models.glob(f"*/{CARD}"), reverse=True):
        version = path.parent.name
        card = {} if version.startswith(".") else read_card(layout, version)
        if not card:
            continue
        measured = layout.evaluation(version) / "metrics.json"
        metrics = read_json(measured) if measured.is_file() else {}
        rows.append(
            {
                "version": version,
                "in_use": version == in_use,
                "created_at": card.get("created_at"),
                "backbone": card.get("backbone"),
                "classes": len(card.get("classes", [])),
                "photos": card.get("counts", {}).get("train"),
                "accuracy": metrics.get("accuracy"),
                "macro_recall": metrics.get("macro_recall"),
                "gate": metrics.get("gate", {}).get("reason"),
            }
        )
    return rows
