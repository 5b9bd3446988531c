"""The models: every file of each, and the notes on which is in use; a model is never deleted."""

from __future__ import annotations

from collections.abc import Iterator

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate_report import read_gate_report
from meter_pipeline.labels import counted
from meter_pipeline.recognition.model_card import (
    challenger_version,
    champion_version,
    load_history,
    restore_champion,
)
from meter_pipeline.recognition.model_files import model_problems
from meter_pipeline.storage.findings import Finding, Look, Mending
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.set_aside import set_aside

PART = "models"


def look_at_models(layout: Layout) -> Look:
    """Look at every file of every model, and at champion.json, challenger.json and history.json."""
    yield from _which_is_in_use(layout)
    in_use = _in_use(layout)
    folders = sorted(path for path in layout.models.glob("[0-9]*-*") if path.is_dir())
    for folder in folders:
        problems = model_problems(folder)
        if problems:
            yield _finding(layout, folder.name, problems, is_in_use=in_use in (folder.name, _UNKNOWN))
    if in_use not in (None, _UNKNOWN) and not (layout.models / str(in_use)).is_dir():
        yield Finding(PART, f"The model in use, {in_use}, is not there.", layout.models / str(in_use), _INSTEAD)
    yield from _gate_reports(layout)
    return counted(len(folders), "model")


_UNKNOWN = "unknown"
_INSTEAD = (
    "Restore its folder from a backup, or go back to the model before (meter model rollback), or train again (meter"
    " train)."
)


def _which_is_in_use(layout: Layout) -> Iterator[Finding]:
    try:
        in_use = champion_version(layout)
    except MeterError as error:
        yield Finding(PART, error.what, layout.champion, error.fix, mending=_named_again(layout))
        return
    if in_use is None and layout.model_history.exists():
        what = "No model is in use, though the history of the models names one."
        yield Finding(PART, what, layout.champion, _INSTEAD, mending=_named_again(layout))
    yield from _notes(layout)


def _in_use(layout: Layout) -> str | None:
    """Return the model in use, None if there is none, `_UNKNOWN` if that cannot be told: it may be any of them."""
    try:
        in_use = champion_version(layout)
    except MeterError:
        return _UNKNOWN
    return _UNKNOWN if in_use is None and layout.model_history.exists() else in_use


def _notes(layout: Layout) -> Iterator[Finding]:
    for note, read in ((layout.challenger, challenger_version), (layout.model_history, load_history)):
        if note.exists():
            try:
                read(layout)
            except MeterError as error:
                yield Finding(PART, error.what, layout.models / error.where, error.fix)


def _named_again(layout: Layout) -> Mending:
    def restore() -> str:
        champion = restore_champion(layout)
        if champion is None:
            raise MeterError("The history names no model that is sound.", where=layout.model_history, fix=_INSTEAD)
        return f"It is {champion.version}."

    return Mending("Which model is in use is written again, from the history of the models.", restore)


def _finding(layout: Layout, version: str, problems: list[str], *, is_in_use: bool) -> Finding:
    folder = layout.models / version
    if is_in_use:
        return Finding(PART, f"The model in use is damaged: {' '.join(problems)}", folder, _INSTEAD)

    def put_aside() -> str:
        return f"It is in {set_aside(layout, folder)} now."

    does = "It is put aside; a training on the same photos then makes it again."
    return Finding(
        PART, f"The model {version} is damaged: {' '.join(problems)}", folder, mending=Mending(does, put_aside)
    )


def _gate_reports(layout: Layout) -> Iterator[Finding]:
    for path in sorted((layout.root / "reports" / "gate").glob("*.json")):
        try:
            read_gate_report(layout, path.stem)
        except MeterError as error:
            yield Finding(PART, error.what, path, error.fix)
