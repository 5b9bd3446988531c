"""The command `meter verify`: looks, mends where it may, and says what it found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from meter_pipeline.cli.terminal import complain, say, say_json
from meter_pipeline.cli.verify.history_and_leftovers import look_at_history, look_at_leftovers
from meter_pipeline.cli.verify.models import look_at_models
from meter_pipeline.cli.verify.people import (
    look_at_cluster_folders,
    look_at_exports,
    look_at_notes,
    look_at_the_warehouse,
)
from meter_pipeline.cli.verify.photos import look_at_decisions, look_at_labelled_photos, look_at_the_store
from meter_pipeline.cli.verify.tables import TRAIN, UPDATE, look_at_tables
from meter_pipeline.defs.resources import nothing_running
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import counted
from meter_pipeline.storage.findings import Finding, Look
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.library_errors import explained

LOOKS: tuple[tuple[str, Callable[[Layout], Look]], ...] = (
    ("tables", look_at_tables),
    ("models", look_at_models),
    ("photos", look_at_the_store),
    ("labelled photos", look_at_labelled_photos),
    ("decisions", look_at_decisions),
    ("exports", look_at_exports),
    ("cluster folders", look_at_cluster_folders),
    ("warehouse", look_at_the_warehouse),
    ("notes", look_at_notes),
    ("history", look_at_history),
    ("left-overs", look_at_leftovers),
)
"""In the order in which each may rely on those before it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a finding.

    Attributes:
        finding: what was found.
        mended: what was done; None if nothing was, or it failed.
        failed: why mending failed; empty otherwise.
    """

    finding: Finding
    mended: str | None = None
    failed: str = ""

    @property
    def is_left(self) -> bool:
        """Whether the damage is still there."""
        return self.mended is None


def verify(layout: Layout, *, mend: bool, as_json: bool) -> bool:
    """Look at the whole data directory, mend what may be mended if asked, and print it; return whether all is sound.

    Raises:
        MeterError: it is to be mended, and a run is working on it.
    """
    looked_at: list[str] = []
    outcomes: list[Outcome] = []
    with nothing_running(layout) if mend else contextlib.nullcontext():
        for outcome in _outcomes(layout, looked_at, mend=mend):
            outcomes.append(outcome)
            if not as_json:
                _print(outcome)
    left = [outcome for outcome in outcomes if outcome.is_left]
    then = _commands(outcomes)
    if as_json:
        say_json({"sound": not left, "findings": [_as_json(o) for o in outcomes], "then": then, "looked_at": looked_at})
    else:
        say(_summary(outcomes, looked_at))
        if then:
            say(f"Now run: {', then '.join(then)}")
    return not left


def _commands(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the commands that make anew what was left out, in order."""
    wanted = {o.finding.mending.then for o in outcomes if o.mended is not None and o.finding.mending is not None}
    return [command for command in (UPDATE, TRAIN) if command in wanted]


def _summary(outcomes: Sequence[Outcome], looked_at: Sequence[str]) -> str:
    left = [outcome for outcome in outcomes if outcome.is_left]
    if not outcomes:
        return f"All sound: {', '.join(looked_at)}."
    if not left:
        return f"{counted(len(outcomes), 'finding')}, all mended."
    mendable = sum(outcome.finding.mending is not None and not outcome.failed for outcome in left)
    further = f" {mendable} of them would be mended by: meter verify --mend" if mendable else ""
    return f"{counted(len(left), 'finding')}.{further}"


def _outcomes(layout: Layout, looked_at: list[str], *, mend: bool) -> Iterator[Outcome]:
    for part, look in LOOKS:
        looking = look(layout)
        while True:
            try:
                finding = next(looking)
            except StopIteration as end:
                looked_at.append(str(end.value))
                break
            except Exception as error:  # one part's trouble does not keep the others from being looked at
                yield Outcome(_not_looked_at(layout, part, error))
                break
            yield _mended(finding) if mend and finding.mending is not None else Outcome(finding)


def _mended(finding: Finding) -> Outcome:
    assert finding.mending is not None
    try:
        said = finding.mending.do()
    except (MeterError, OSError) as error:
        return Outcome(finding, failed=str(explained(error, where=finding.where) or error))
    return Outcome(finding, mended=" ".join(filter(None, [finding.mending.does, said])))


def _not_looked_at(layout: Layout, part: str, error: Exception) -> Finding:
    known = explained(error, where=layout.root)
    if known is None:
        what = f"This part could not be looked at: {type(error).__name__}: {error}"
        return Finding(part, what, layout.root, "Report this.")
    return Finding(part, known.what, layout.root / known.where, known.fix)


def _print(outcome: Outcome) -> None:
    finding = outcome.finding
    line = f"{finding.part}: {finding.what} [{finding.where}]"
    if outcome.mended is not None:
        say(f"{line} Mended: {outcome.mended}")
        return
    parts = [line, finding.fix]
    if outcome.failed:
        parts.append(f"It could not be mended: {outcome.failed}")
    elif finding.mending is not None:
        parts.append(f"--mend: {finding.mending.does}")
    complain(" ".join(filter(None, parts)))


def _as_json(outcome: Outcome) -> dict[str, Any]:
    finding = outcome.finding
    return {
        "part": finding.part,
        "what": finding.what,
        "where": str(finding.where),
        "fix": finding.fix,
        "mend": finding.mending.does if finding.mending else None,
        "mended": outcome.mended,
        "failed": outcome.failed,
    }
