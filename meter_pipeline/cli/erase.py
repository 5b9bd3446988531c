"""`meter erase`: says what an erasure would take, asks, takes it, and says what is still held and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from meter_pipeline.cli.terminal import say, say_json
from meter_pipeline.erasure.erasing import erase, resume
from meter_pipeline.erasure.look import Found, look
from meter_pipeline.erasure.target import Kind, Target, column_target, drop_target, url_target
from meter_pipeline.erasure.what_stays import of_no_row, what_stays
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import counted
from meter_pipeline.storage.layout import Layout

NAMES_SHOWN = 6
"""Files of a kind that are named, and the rest counted; photos are counted alone, as their names say nothing."""
COUNTED_KINDS = frozenset({"photos", "thumbnails and caches", "cluster pictures and contact sheets"})


@dataclass(frozen=True)
class Asked:
    """What a person typed; exactly one of these is wanted."""

    drop: str | None = None
    url: str | None = None
    column: str | None = None
    unused: bool = False

    def target(self, layout: Layout) -> Target:
        """Return what is meant.

        Raises:
            MeterError: not exactly one thing was given, or it is not there.
        """
        if sum(given is not None for given in (self.drop, self.url, self.column)) + self.unused != 1:
            raise MeterError(
                "One of a drop, --url, --column and --unused is wanted.",
                where="meter erase",
                fix="meter erase DROP, or meter erase --url URL, --column NAME=VALUE or --unused.",
            )
        if self.unused:
            return Target(Kind.UNUSED, "")
        if self.drop is not None:
            return drop_target(layout, self.drop)
        return url_target(self.url) if self.url is not None else column_target(layout, str(self.column))


def run_erase(layout: Layout, asked: Asked, *, yes: bool, as_json: bool) -> bool:
    """Erase what is there of what was asked for, if a person agrees; return whether nothing is left.

    Raises:
        MeterError: not exactly one thing was given, it is not there, a run is working on the data directory, or a table
            is damaged.
    """
    from meter_pipeline.defs.resources import nothing_running

    cut_off = None
    if layout.erasing.exists():
        with nothing_running(layout):
            cut_off = resume(layout)
        if cut_off is not None and not as_json:
            say(f"An erasure that was cut off is finished: {cut_off.described}.")
    try:
        target = asked.target(layout)
    except MeterError:
        if cut_off is None or not cut_off.is_asked_by(asked.drop, asked.column):
            raise
        target = cut_off  # it had come to its last row
    found = look(layout, target)
    stays = what_stays(layout, found)
    if not as_json:
        _say_found(layout, found, stays)
    agreed = not found.is_nothing and (yes or (not as_json and typer.confirm("Erase this for good?")))
    if agreed:
        with nothing_running(layout):
            erase(layout, found := look(layout, target))
        if not as_json:
            say(f"Erased: {target.described}.")
    is_gone = agreed or found.is_nothing
    history = _history(layout, target, has_changed=agreed or cut_off is not None) if is_gone or as_json else []
    if as_json:
        carried_on = None if cut_off is None else _named(cut_off)
        shown = {**_as_json(layout, found), "erased": agreed, "carried_on": carried_on, "stays": [*stays, *history]}
        say_json(shown)
    for sentence in history if not as_json else ():
        say(sentence)
    return is_gone


def _say_found(layout: Layout, found: Found, stays: list[str]) -> None:
    if found.is_nothing:
        say(f"Nothing is here of {found.target.described}.")
        for sentence in of_no_row(layout, found):
            say(sentence)
        return
    say(f"What goes with {found.target.described}:")
    rows = ", ".join(f"{counted(number, 'row')} of {drop}" for drop, number in sorted(found.drops.items()))
    say(f"  sheets: {rows or 'no rows'}")
    say(f"  photos: {len(found.photos):,}")
    if found.rows:
        say(f"  tables: {', '.join(f'{name} {number:,}' for name, number in found.rows.items())}")
    for kind, paths in found.files.items():
        say(f"  {kind}: {_names(layout, kind, paths)}")
    say("What stays:")
    for sentence in stays:
        say(f"  - {sentence}")


def _names(layout: Layout, kind: str, paths: tuple[Path, ...]) -> str:
    if kind in COUNTED_KINDS:
        return counted(len(paths), "file")
    shown = ", ".join(path.relative_to(layout.root).as_posix() for path in paths[:NAMES_SHOWN])
    return f"{shown} and {len(paths) - NAMES_SHOWN:,} more" if len(paths) > NAMES_SHOWN else shown


def _history(layout: Layout, target: Target, *, has_changed: bool) -> list[str]:
    """Return what Dagster's history still holds; where something was erased, let it know what is there now."""
    from meter_pipeline.defs.history_traces import traces
    from meter_pipeline.defs.instance import home_of, ready_instance

    home = home_of(layout.root)
    if not home.is_dir():
        return []
    if has_changed:
        with ready_instance(layout.root):  # it takes over what the folder holds now
            pass
    if target.kind == Kind.UNUSED:
        return []
    words = [target.value, target.file_name] if target.kind == Kind.DROP else [target.value]
    return [traces(home, words).sentence]


def _named(target: Target) -> dict[str, str | None]:
    """Return what kind of thing it is of; no value of a person is repeated."""
    return {"kind": target.kind.value, "column": target.column or None}


def _as_json(layout: Layout, found: Found) -> dict[str, object]:
    return {
        "target": _named(found.target),
        "drops": dict(found.drops),
        "photos": len(found.photos),
        "shared_photos": found.shared,
        "rows": dict(found.rows),
        "files": {
            kind: [path.relative_to(layout.root).as_posix() for path in paths] for kind, paths in found.files.items()
        },
    }
