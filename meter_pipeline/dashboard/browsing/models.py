"""Models to look at: their cards, what was measured of them, what the gate said; from their files, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from meter_pipeline.dashboard.text import percent
from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate_report import GateReport, challenger_problems, read_gate_report
from meter_pipeline.labels import Split
from meter_pipeline.recognition.model_card import (
    Champion,
    ModelCard,
    challenger_version,
    load_cards,
    load_champion,
    load_history,
)
from meter_pipeline.recognition.model_history import HistoryEntry, before
from meter_pipeline.storage.csv_cells import unsafe_cell
from meter_pipeline.storage.layout import EVALUATION_PAGE, Layout
from meter_pipeline.storage.sealed_json import problem_of, read_sealed

if TYPE_CHECKING:
    import pandas as pd

_T = TypeVar("_T")
EVALUATION_TABLES = ("confusion_matrix", "reliability", "coverage", "classification_report", "confused_pairs")


@dataclass(frozen=True)
class Models:
    """The models there are.

    Attributes:
        champion: the one in use; None if there is none yet.
        cards: by version, the newest first.
        problems: what is wrong with files of the models that cannot be read, one message for each.
        history: which came into use and were rolled back, the newest first.
        metrics: what `metrics.json` says, by version; empty if not evaluated, or if the file is damaged.
    """

    champion: Champion | None
    cards: dict[str, ModelCard]
    problems: list[str]
    history: list[HistoryEntry] = field(default_factory=list)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def before(self) -> str | None:
        """The version that a person can go back to; None if there is none."""
        return before(self.history[::-1], self.champion.version) if self.champion else None


@dataclass(frozen=True)
class VersionRow:
    """A model in the table of all versions.

    Attributes:
        version: the model.
        in_use: whether it is the champion.
        trained: when, UTC, ISO 8601.
        backbone: its name.
        classes: how many it can name.
        photos: how many it was trained on.
        accuracy: on its own test photos, 0 to 1; None if it was not evaluated.
        macro_recall: likewise.
        gate: what the gate said: accepted, held or refused; None if it was not asked.
    """

    version: str
    in_use: bool
    trained: str
    backbone: str
    classes: int
    photos: int
    accuracy: float | None
    macro_recall: float | None
    gate: str | None


@dataclass(frozen=True)
class EvaluationFiles:
    """A model's evaluation as it was written for people.

    Attributes:
        folder: where it is.
        metrics: `metrics.json`; empty if there is none.
        tables: by name (`EVALUATION_TABLES`), as they are in the CSVs; those that are not there are left out.
    """

    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def page(self) -> Path | None:
        """The evaluation page; None if there is none."""
        path = self.folder / EVALUATION_PAGE
        return path if path.is_file() else None


@dataclass(frozen=True)
class CaughtShare:
    """How many photos of unknown types a threshold of the guard catches.

    Attributes:
        photos_of: what the photos are of (hidden classes).
        photos: how many there are.
        auroc: how often a known photo scores above one of them.
        known_limit: share of known photos that may be sent to UNKNOWN, 0 to 1.
        threshold: the score that does so.
        caught: share of the photos below it, 0 to 1.
    """

    photos_of: str
    photos: int
    auroc: float
    known_limit: float
    threshold: float
    caught: float


def list_models(layout: Layout) -> Models:
    """Return the models there are."""
    cards, damaged = load_cards(layout)
    problems = [str(problem) for problem in damaged]

    def read(what: Callable[[], _T]) -> _T | None:
        try:
            return what()
        except MeterError as error:
            problems.append(str(error))
            return None

    champion = read(lambda: load_champion(layout))
    # Without the champion's file the history cannot be read either; that is one problem, said once.
    history = (read(lambda: load_history(layout)) or []) if not problems[len(damaged) :] else []
    metrics = {}
    for card in cards:
        metrics[card.version] = read(partial(_metrics, layout, card.version)) or {}
        read(partial(read_gate_report, layout, card.version))
    return Models(champion, {card.version: card for card in reversed(cards)}, problems, history[::-1], metrics)


def read_gate(layout: Layout, version: str) -> GateReport | None:
    """Return what the gate said of a model; None if it was not asked, or what it said cannot be read."""
    try:
        return read_gate_report(layout, version)
    except MeterError:
        return None


def not_in_use(layout: Layout) -> GateReport | None:
    """Return what the gate said of the model that was trained last, if that kept it from coming into use."""
    try:
        return read_gate(layout, challenger_version(layout)) if challenger_problems(layout) else None
    except MeterError:  # the history cannot be read, which `list_models` says
        return None


def waiting_facts(waiting: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return which named classes were too small to be learned, as a person reads it, by what a model card says."""
    return [f"{label}: {found['meters']} of {found['needed']} meters" for label, found in sorted(waiting.items())]


def version_rows(layout: Layout, models: Models) -> list[VersionRow]:
    """Return one row per model, in their order."""
    rows = []
    for version, card in models.cards.items():
        metrics, gate = models.metrics.get(version, {}), read_gate(layout, version)
        rows.append(
            VersionRow(
                version=version,
                in_use=models.champion is not None and version == models.champion.version,
                trained=card.created_at,
                backbone=card.backbone,
                classes=len(card.classes),
                photos=card.counts.get(Split.TRAIN, 0),
                accuracy=metrics.get("accuracy"),
                macro_recall=metrics.get("macro_recall"),
                gate=gate.outcome.value if gate else None,
            )
        )
    return rows


def read_evaluation(layout: Layout, version: str) -> EvaluationFiles:
    """Return a model's evaluation; without metrics and tables where it was not evaluated.

    Raises:
        MeterError: a file of it cannot be read.
    """
    import pandas as pd

    folder = layout.evaluation(version)
    tables = {}
    for name in EVALUATION_TABLES:
        path = folder / f"{name}.csv"
        if path.is_file():
            try:
                table = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
            except (OSError, ValueError) as error:
                raise _unreadable(path, f"cannot be read: {error}") from error
            tables[name] = table.map(lambda cell: unsafe_cell(cell) if isinstance(cell, str) else cell)
    return EvaluationFiles(folder, _metrics(layout, version), tables)


def caught_shares(metrics: dict[str, Any]) -> list[CaughtShare]:
    """Return what the guard catches of photos of unknown types, by kind of photo and limit; empty if not measured."""
    return [
        CaughtShare(
            photos_of=name,
            photos=curve["photos"],
            auroc=curve["auroc"],
            known_limit=row["known_limit"],
            threshold=row["threshold"],
            caught=row["caught"],
        )
        for name, curve in metrics.get("unknown_curves", {}).items()
        for row in curve["caught"]
    ]


def guard_facts(guard: dict[str, Any]) -> dict[str, str]:
    """Return what a model card says of the guard, as a person reads it, by what it is."""
    threshold, sure_from = guard.get("threshold"), guard.get("sure_from")
    if threshold is None:
        return {"Guard score below which a photo is UNKNOWN": "off: too few photos to choose one"}
    facts = {
        "Guard score below which a photo is UNKNOWN": f"{threshold:.3f}",
        "Classes with a threshold of their own": ", ".join(guard.get("class_thresholds", {})) or "none",
    }
    if sure_from is not None:
        facts["Guard score below which the calibrated confidence is capped"] = f"{sure_from:.3f}"
    if "below_promise" in guard:
        promise = f"at most {percent(guard['known_flagged_limit'])} of its known photos are sent to UNKNOWN"
        needed = guard["needs_photos"]
        facts[f"Photos to train on that a class needs until {promise}"] = (
            str(needed) if needed is not None else "more than any class has"
        )
        facts["Classes with fewer"] = _classes_below(guard)
    return facts


def _classes_below(guard: dict[str, Any]) -> str:
    names = ", ".join(guard["below_promise"])
    if not names or guard["flagged_below"] is None:
        return names or "none"
    return f"{names} (about {percent(guard['flagged_below'])} of their known photos are sent there)"


def _metrics(layout: Layout, version: str) -> dict[str, Any]:
    path = layout.evaluation_metrics(version)
    try:
        metrics = read_sealed(path, by_hand=True)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(path, problem_of(error)) from error
    if "accuracy" not in metrics:
        raise _unreadable(path, "does not hold the fields that it should")
    if metrics.get("version", version) != version:
        raise _unreadable(path, f"is that of another model, {metrics['version']}")
    return metrics


def _unreadable(path: Path, problem: str) -> MeterError:
    return MeterError(
        f"A file of the evaluation {problem}.",
        where=path,
        fix="Materialize evaluation_report, or run meter train: it writes the evaluation again.",
    )
