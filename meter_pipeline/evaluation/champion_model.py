"""Which model is in use: what the gate says of a challenger, and what a person says whatever the gate said."""

from __future__ import annotations

import logging

import pandas as pd

from meter_pipeline.errors import MeterError, NoChampionError
from meter_pipeline.evaluation.answers import ask_test_photos
from meter_pipeline.evaluation.drop_answers import ask_drop_photos
from meter_pipeline.evaluation.gate.contender import Contender, GuardFigures
from meter_pipeline.evaluation.gate.verdict import RolledBack, Verdict, judge
from meter_pipeline.evaluation.gate_report import report_of, write_gate_report
from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.model_card import (
    Champion,
    champion_version,
    load_champion,
    load_history,
    set_champion,
)
from meter_pipeline.recognition.model_history import BY_THE_GATE, before, last_roll_back
from meter_pipeline.recognition.model_store import MeterModel, check_model, load_held_out, load_model
from meter_pipeline.settings import DecisionSettings, GateSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT

_logger = logging.getLogger(__name__)


def challenge(layout: Layout, version: str, rules: DecisionSettings, gate: GateSettings) -> Verdict:
    """Let a model challenge the champion on today's test photos and the last drops; if it passes, it is in use.

    What the gate said is kept in `layout.gate_report`, unless the model is in use already.

    Args:
        layout: the data directory.
        version: the challenger.
        rules: what makes a photo UNKNOWN or DARK.
        gate: what the challenger may lose and still win.

    Returns:
        What the gate decided, and why.

    Raises:
        MeterError: a model gives numbers that are not finite, or the history of the models cannot be read.
    """
    split, current = layout.lake.frame(DATASET_SPLIT), champion_version(layout)
    challenger = load_model(layout, version)
    contender = _contender(layout, challenger, split, rules)
    if current is None or current == version:
        verdict = judge(contender, None if current is None else contender, tolerance=gate.champion_tolerance)
    else:
        champion = load_model(layout, current)
        verdict = judge(
            contender,
            _contender(layout, champion, split, rules),
            tolerance=gate.champion_tolerance,
            allow_dropped_classes=gate.allow_dropped_classes,
            drops=ask_drop_photos(layout, champion, challenger, rules),
            rolled_back=_roll_back_of(layout, version),
        )
    _logger.info("%s: %s", verdict.outcome.capitalize(), verdict.reason)
    if current != version:
        write_gate_report(layout, report_of(verdict))
        if verdict.accepted:
            set_champion(layout, version, reason=verdict.reason, by=BY_THE_GATE)
    return verdict


def accept_model(layout: Layout, version: str, *, why: str, by: str) -> Champion:
    """Take a model into use by a person's word, whatever the gate said of it.

    Args:
        layout: the data directory.
        version: the model.
        why: the reason, for the history.
        by: who says so; may be empty.

    Returns:
        The model in use; nothing changes if it was already.

    Raises:
        MeterError: there is no such model, its files are damaged, or no reason was given.
    """
    why = _checked(layout, version, why)
    champion = load_champion(layout)
    if champion and champion.version == version:
        return champion
    return set_champion(layout, version, reason=f"Accepted{_by(by)}: {why}", by=by)


def roll_back(layout: Layout, version: str | None = None, *, why: str, by: str) -> Champion:
    """Go back to an earlier model; the gate holds the one that was in use if it challenges again.

    Args:
        layout: the data directory.
        version: the model to go back to; None: the one that was in use before.
        why: the reason, for the history.
        by: who says so; may be empty.

    Returns:
        The model in use now.

    Raises:
        NoChampionError: no model is in use yet.
        MeterError: there is no model to go back to, its files are damaged, or no reason was given.
    """
    current = champion_version(layout)
    if current is None:
        raise NoChampionError("There is no model in use yet.", where=layout.champion, fix="Train one: meter train")
    target = version or before(load_history(layout), current)
    if target is None:
        raise MeterError(
            f"No model was in use before {current}.",
            where=layout.model_history,
            fix="Name the version to go back to; meter model list shows them.",
        )
    if target == current:
        raise MeterError(
            f"{current} is in use already.",
            where=layout.champion,
            fix="Name another version; meter model list shows them.",
        )
    why = _checked(layout, target, why)
    return set_champion(layout, target, reason=f"Rolled back from {current}{_by(by)}: {why}", by=by, rolls_back=True)


def _checked(layout: Layout, version: str, why: str) -> str:
    """Return the reason without blanks around it, if there is one and the model can be used."""
    check_model(layout, version)
    if not why.strip():
        raise MeterError(
            f"No reason was given to put {version} into use.", fix='Say why, for the history: --why "the reason".'
        )
    return why.strip()


def _by(by: str) -> str:
    return f" by {by}" if by else ""


def _contender(layout: Layout, model: MeterModel, split: pd.DataFrame, rules: DecisionSettings) -> Contender:
    held_out = load_held_out(layout, model.version)
    return Contender(
        model.version,
        tuple(model.classes),
        ask_test_photos(layout, model, split, rules).audit,
        frozenset(model.card.trained_on),
        GuardFigures.from_card(model.card.guard, caught_by_class(Guard.from_card(model.card.guard), held_out)),
        held_out,
    )


def caught_by_class(guard: Guard, held_out: pd.DataFrame) -> dict[str, float]:
    """Return which share of the photos of each class that was hidden a guard flags.

    Args:
        guard: the guard.
        held_out: `model_store.load_held_out`; used: `class`, `hidden`, `predicted`, `guard_score`.
    """
    hidden = held_out[held_out["hidden"].astype(bool)]
    if "guard_score" not in hidden:  # no guard was fitted: too few photos
        return {}
    named = zip(hidden["predicted"], hidden["guard_score"], strict=True)
    caught = pd.Series([guard.flags(name, score) for name, score in named], index=hidden.index, dtype=float)
    return {str(name): float(share) for name, share in caught.groupby(hidden["class"]).mean().items()}


def _roll_back_of(layout: Layout, version: str) -> RolledBack | None:
    entry = last_roll_back(load_history(layout), version)
    return RolledBack(at=entry.at, by=entry.by, reason=entry.reason) if entry else None
