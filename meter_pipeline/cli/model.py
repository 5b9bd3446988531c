"""`meter model`: which models there are, what the gate said of each, and a person's word on which one is in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meter_pipeline.cli.terminal import complain, login_name, say, say_json, say_table
from meter_pipeline.labels import Outcome
from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout

if TYPE_CHECKING:
    from meter_pipeline.evaluation.gate_report import GateReport

model_app = typer.Typer(help="List the models, take one into use, or go back to an earlier one.", no_args_is_help=True)

By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who says so; may be empty. If not given, the login name.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the history.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
BY_CLASS = ("class", "photos", "champion_right", "challenger_right", "champion_recall", "challenger_recall", "change")
CHANGES = ("before", "after", "kind", "photos")
SHOWN_CHANGES = 20
"""Changes of names that the report of the gate spells out."""


@model_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models, the newest first: which is in use, how good each is, and what the gate said of it."""
    rows, problems = model_rows(_layout())
    if as_json:
        say_json({"models": rows, "problems": problems})
        return
    if not rows and not problems:
        say("There is no model yet. Train one: meter train")
    if rows:
        header = ("version", "in use", "trained", "classes", "accuracy", "gate", "waiting")
        say_table("Models", header, [_cells(row) for row in rows])
    for problem in problems:
        complain(problem)


@model_app.command()
def show(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The model; meter model list shows them.")],
    as_json: AsJson = False,
) -> None:
    """Show what the gate said of a model, with its numbers."""
    from meter_pipeline.evaluation.gate_report import read_gate_report
    from meter_pipeline.recognition.model_card import load_card

    layout = _layout()
    card, report = load_card(layout, version), read_gate_report(layout, version)
    if as_json:
        say_json({"card": card.as_dict(), "gate": asdict(report) if report else None})
        return
    say(f"{version}: {card.backbone}, {len(card.classes)} classes, trained {moment(card.created_at)}")
    say(f"Classes that wait: {waiting_text(card.waiting) or 'none'}")
    if report is None:
        say("The gate was not asked about it.")
    else:
        print_gate(report)


@model_app.command()
def accept(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The model; meter model list shows them.")],
    why: Why,
    by: By = None,
) -> None:
    """Take a model into use, whatever the gate said of it."""
    from meter_pipeline.recognition.model_card import load_card

    load_card(_layout(), version)  # said at once, without a run
    _choose("accept_model", {"accept": version}, why, by)


@model_app.command()
def rollback(
    why: Why,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Back to this one; if not given, the one in use before.")
    ] = None,
    by: By = None,
) -> None:
    """Go back to an earlier model; the one in use does not come back by the next evaluation."""
    from meter_pipeline.recognition.model_card import load_card

    if version is not None:
        load_card(_layout(), version)
    _choose("roll_back_model", {"roll_back": True, "roll_back_to": version or ""}, why, by)


def model_rows(layout: Layout) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one row per model, the newest first, and what is wrong with those that cannot be read."""
    from meter_pipeline.dashboard.browsing import models

    found = models.list_models(layout)
    rows = []
    for row in models.version_rows(layout, found):
        report = models.read_gate(layout, row.version)
        rows.append(
            {
                "version": row.version,
                "in_use": row.in_use,
                "trained": row.trained,
                "classes": row.classes,
                "accuracy": row.accuracy,
                "gate": row.gate,
                "gate_at": report.created_at if report else None,
                "waiting": found.cards[row.version].waiting,
            }
        )
    return rows, found.problems


def print_gate(report: GateReport) -> None:
    """Print what the gate said of a model: the verdict, why, and the tables behind it."""
    against = f" against {report.champion}" if report.champion else ""
    say(f"The gate: {report.outcome.value}, {moment(report.created_at)}{against}")
    for sentence in report.sentences:
        say(f"  {sentence}")
    for sentence in _on_unknown(report.unknown):
        say(f"  {sentence}")
    if report.outcome != Outcome.ACCEPTED:
        say(f'To use it all the same: meter model accept {report.version} --why "..."')
    _say_rows("Classes that both know, on the same test photos", report.by_class, BY_CLASS)
    _say_rows("New classes", report.new_classes, ("class", "photos", "right", "recall", "measured_on"))
    _say_rows(
        "Test photos of old classes that get a new class's name", report.new_names, ("old_class", "new_class", "photos")
    )
    _say_rows("Names that change in the last drops", report.changes[:SHOWN_CHANGES], CHANGES)
    if len(report.changes) > SHOWN_CHANGES:
        say(f"and {len(report.changes) - SHOWN_CHANGES} more such changes")
    _say_rows("Photos that a person rejected, and that are named so again", report.rejected, ())


def print_verdict(layout: Layout, *, in_use_before: str | None) -> None:
    """Print what the gate said of the model that the last training came to, and why.

    Args:
        layout: the data directory.
        in_use_before: the model that was in use before the training; None if there was none.
    """
    from meter_pipeline.evaluation.gate_report import read_gate_report
    from meter_pipeline.recognition.model_card import challenger_version

    version = challenger_version(layout)
    report = read_gate_report(layout, version)
    if version == in_use_before or report is None:
        say(f"{version} is in use already: the photos and the settings are the same.")
        return
    say(f"{version} is {report.outcome.value} by the gate.")
    for sentence in report.sentences:
        say(f"  {sentence}")


def waiting_text(waiting: Mapping[str, Mapping[str, int]]) -> str:
    """Return which named classes were too small to be learned, by what a model's card says; empty if none was."""
    return ", ".join(f"{label} ({found['meters']} of {found['needed']} meters)" for label, found in waiting.items())


def moment(iso: str) -> str:
    """Return a time of a file in UTC, to the minute."""
    return f"{iso[:10]} {iso[11:16]} UTC"


def _choose(job: str, config: dict[str, object], why: str, by: str | None) -> None:
    from meter_pipeline.cli.runs import run_job
    from meter_pipeline.recognition.model_card import load_champion

    person = login_name() if by is None else by.strip()
    run = run_job(job, config={"champion_model": {**config, "why": why, "by": person}})
    for problem in run.problems:
        complain(problem)
    if not run.success:
        raise typer.Exit(1)
    champion = load_champion(_layout())
    if champion is not None:
        say(f"In use: {champion.version}. {champion.reason}")
    say("Old drops are named anew by the next meter update, without a download; meter dev does so by itself.")


def _cells(row: dict[str, Any]) -> list[object]:
    return [
        row["version"],
        "yes" if row["in_use"] else "",
        moment(row["trained"]),
        row["classes"],
        "" if row["accuracy"] is None else f"{row['accuracy']:.1%}",
        row["gate"],
        waiting_text(row["waiting"]),
    ]


def _on_unknown(unknown: Mapping[str, Any]) -> list[str]:
    """Return what the model sends to UNKNOWN, by the report of the gate; what was not measured is left out."""
    sentences = []
    flagged, known, limit = (unknown[f"known_{name}"] for name in ("flagged", "photos", "flagged_limit"))
    if known:
        allowed = "" if limit is None else f"; {limit:.0%} is allowed"
        sentences.append(f"{flagged} of {known} test photos of known types go to UNKNOWN{allowed}.")
    caught, before = ((unknown[name] or {}).get("hidden_caught") for name in ("guard", "guard_champion"))
    if caught is not None:
        instead = "" if before is None else f", the champion {before:.0%}"
        sentences.append(f"Of types that it was never shown it catches {caught:.0%}{instead}.")
    if junk := unknown["junk_photos"]:
        named, by_champion = junk - unknown["junk_caught"], junk - unknown["junk_caught_champion"]
        sentences.append(f"Of {junk} photos called junk it names {named}, the champion {by_champion}.")
    return sentences


def _say_rows(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows of the gate's report under a title, if there are any; without columns all that they have."""
    if rows:
        names = columns or list(rows[0])
        cells = [[_number(row[name]) for name in names] for row in rows]
        say_table(title, [name.replace("_", " ") for name in names], cells)


def _number(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value


def _layout() -> Layout:
    return Layout(load_settings().data_dir)
