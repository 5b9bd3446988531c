"""`meter erase`: says what an erasure would take, asks, takes it, and says what is still held and where."""

from __future__ import annotations

from pathlib import Path

import typer

from meter_pipeline.cli.terminal import say, say_json
from meter_pipeline.erasure.erasing import erase, resume
from meter_pipeline.erasure.look import Found, look
from meter_pipeline.erasure.target import Kind, Target, column_target, drop_target, url_target
from meter_pipeline.erasure.what_stays import what_stays
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import counted
from meter_pipeline.storage.layout import Layout

NAMES_SHOWN = 6
"""Files of a kind that are named, and the rest counted; photos are counted alone, as their names say nothing."""
COUNTED_KINDS = frozenset({"photos", "thumbnails and caches", "cluster pictures and contact sheets"})


def run_erase(
    layout: Layout, drop: str | None, url: str | None, column: str | None, *, yes: bool, as_json: bool
) -> bool:
    """Erase what is there of a drop, a URL or a column's text, if a person agrees; return whether nothing is left.

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
        target = _target(layout, drop, url, column)
    except MeterError:
        if cut_off is not None:  # it had come to its last row
            return True
        raise
    found = look(layout, target)
    stays = what_stays(layout, found)
    if not as_json:
        _say_found(layout, found, stays)
    agreed = not found.is_nothing and (yes or (not as_json and typer.confirm("Erase this for good?")))
    if agreed:
        with nothing_running(layout):
            erase(layout, found := look(layout, target))
    history = _history(layout, target, has_changed=agreed)
    if as_json:
        say_json({**_as_json(layout, found), "erased": agreed, "stays": [*stays, *history]})
    else:
        for sentence in history if agreed or found.is_nothing else ():
            say(sentence)
        if agreed:
            say(f"Erased: {target.described}.")
    return agreed or found.is_nothing


def _target(layout: Layout, drop: str | None, url: str | None, column: str | None) -> Target:
    if sum(given is not None for given in (drop, url, column)) != 1:
        raise MeterError(
            "One of a drop, --url and --column is wanted.",
            where="meter erase",
            fix="meter erase DROP, or meter erase --url URL, or meter erase --column NAME=VALUE.",
        )
    if drop is not None:
        return drop_target(layout, drop)
    return url_target(url) if url is not None else column_target(layout, str(column))


def _say_found(layout: Layout, found: Found, stays: list[str]) -> None:
    if found.is_nothing:
        say(f"Nothing is here of {found.target.described}.")
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
    words = [target.value, target.file_name] if target.kind == Kind.DROP else [target.value]
    return [traces(home, words).sentence]


def _as_json(layout: Layout, found: Found) -> dict[str, object]:
    return {
        "target": {"kind": found.target.kind.value, "column": found.target.column or None},
        "drops": dict(found.drops),
        "photos": len(found.photos),
        "shared_photos": found.shared,
        "rows": dict(found.rows),
        "files": {
            kind: [path.relative_to(layout.root).as_posix() for path in paths] for kind, paths in found.files.items()
        },
    }
