"""What the gate said of a model, kept as JSON for the dashboard, the command line and whoever decides; no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate.sentences import sentence_of
from meter_pipeline.evaluation.gate.verdict import Verdict
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.model_card import challenger_version, champion_version, load_history
from meter_pipeline.recognition.model_history import BY_THE_GATE, last_roll_back
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sealed_json import SealError, problem_of, read_sealed, write_sealed


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """What the gate said of a model. Shares are 0 to 1; what was not measured is None.

    Attributes:
        version: the model that was judged.
        champion: the one that was in use; None if there was none.
        outcome: accepted, held or refused.
        sentences: why, the most important first.
        created_at: when, UTC, ISO 8601.
        findings: what was found, the worst first: fields of `gate.findings.Finding` and its `sentence`.
        comparison: fields of `gate.old_classes.Comparison` but `by_class`, and `change`.
        by_class: one row per compared old class: its columns there.
        new_classes: one row per new class: `class`, `recall`, `photos`, `right`, `measured_on`.
        new_names: one row per pair: `old_class`, `new_class`, `photos`: test photos that get a new name.
        unknown: fields of `gate.unknown.Unknown`.
        rejected: one row per photo: fields of `gate.rejected.NamedAgain`.
        replay: fields of `gate.replay.Replay` but `changes`.
        changes: one row per change of names in the last drops: fields of `gate.replay.Change`.
    """

    version: str
    champion: str | None
    outcome: Outcome
    sentences: list[str]
    created_at: str
    findings: list[dict[str, Any]]
    comparison: dict[str, Any]
    by_class: list[dict[str, Any]]
    new_classes: list[dict[str, Any]]
    new_names: list[dict[str, Any]]
    unknown: dict[str, Any]
    rejected: list[dict[str, Any]]
    replay: dict[str, Any]
    changes: list[dict[str, Any]]

    @property
    def reason(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)


def report_of(verdict: Verdict) -> GateReport:
    """Return a verdict with all its numbers, as of now."""
    numbers, new = verdict.comparison, verdict.new_classes
    comparison = {name: value for name, value in vars(numbers).items() if name != "by_class"}
    replay = asdict(verdict.replay)
    changes = replay.pop("changes")
    return GateReport(
        version=numbers.challenger,
        champion=numbers.champion,
        outcome=verdict.outcome,
        sentences=verdict.sentences,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=[asdict(finding) | {"sentence": sentence_of(finding)} for finding in verdict.findings],
        comparison=comparison | {"change": numbers.change},
        by_class=[{str(name): value for name, value in row.items()} for row in numbers.by_class.to_dict("records")],
        new_classes=[
            {"class": c.name, "recall": c.recall, "photos": c.photos, "right": c.right, "measured_on": c.measured_on}
            for c in new.classes
        ],
        new_names=[{"old_class": old, "new_class": name, "photos": photos} for old, name, photos in new.taken],
        unknown=asdict(verdict.unknown),
        rejected=[asdict(photo) for photo in verdict.rejected.named_again],
        replay=replay,
        changes=list(changes),
    )


def write_gate_report(layout: Layout, report: GateReport) -> None:
    """Keep a report; the model's last one is replaced."""
    write_sealed(layout.gate_report(report.version), asdict(report))


def read_gate_report(layout: Layout, version: str) -> GateReport | None:
    """Return what the gate last said of a model; None if it was never judged against another one, or as the first.

    Raises:
        MeterError: the report cannot be read.
    """
    path = layout.gate_report(version)
    if not path.exists():
        return None
    try:
        fields = read_sealed(path)
        if fields["version"] != version:
            raise SealError(f"is that of another model, {fields['version']}")
        return GateReport(**{**fields, "outcome": Outcome(fields["outcome"])})
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise MeterError(
            f"What the gate said of {version} cannot be read: the file {problem_of(error)}.",
            where=path,
            fix="Delete the file; champion_model writes it again when it judges the model.",
        ) from error


def challenger_problems(layout: Layout) -> list[str]:
    """Return why the model that the last training came to is not in use; nothing if it is, or a person chose otherwise.

    A person chose otherwise who went back from it, or put another model into use since the gate spoke.

    Raises:
        MeterError: the history of the models cannot be read.
    """
    if not layout.challenger.exists():
        return []
    version, history = challenger_version(layout), load_history(layout)
    if version == champion_version(layout) or last_roll_back(history, version):
        return []
    try:
        report = read_gate_report(layout, version)
    except MeterError as error:
        return [str(error)]
    if report is None:
        return [f"{version} has not been judged yet. Run meter train, or materialize champion_model."]
    spoke = datetime.fromisoformat(report.created_at)
    later = [entry for entry in history if datetime.fromisoformat(entry.at) > spoke]
    if report.outcome == Outcome.ACCEPTED or any(entry.by != BY_THE_GATE for entry in later):
        return []
    return [report.reason]
