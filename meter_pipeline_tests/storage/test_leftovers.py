"""What killed processes left half-written goes away in time; nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.leftovers import leftovers, remove, sweep

OLD = 1.0
"""Seconds since 1970."""
OURS = (
    "models/.tmp-0a1b2c3d-0003-4e7e5ada/weights.safetensors",
    "reports/batches/.tmp-0a1b2c3d-may.csv",
    "images/ab/.tmp-0a1b2c3d-photo.jpg",
)
NOT_OURS = ("drops/.tmp-0a1b2c3d-may.xlsx", "reports/batches/.tmp-of-anna.csv", "models/.training-12345678/head.pt")


def _put(layout: Layout, *names: str) -> None:
    for name in names:
        path = layout.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        for place in (path, path.parent):
            os.utime(place, (OLD, OLD) if not name.startswith("models/.training") else None)


def test_old_writes_that_nobody_finishes_are_found_and_removed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _put(layout, *OURS, *NOT_OURS)
    found = list(leftovers(layout))
    assert {leftover.path for leftover in found} == {
        tmp_path / "models/.tmp-0a1b2c3d-0003-4e7e5ada",
        *(tmp_path / name for name in OURS[1:]),
    }
    for leftover in found:
        remove(leftover)
    assert not list(leftovers(layout))
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(NOT_OURS)


def test_a_write_under_way_is_no_leftover(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with replacing(tmp_path / "models" / "0001-12345678") as temporary:
        temporary.mkdir(parents=True)
        (temporary / "weights").write_bytes(b"more to come")
        assert not list(leftovers(layout))


def test_a_run_sweeps_where_nobody_else_does(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _put(layout, *OURS)
    sweep(layout)
    assert [leftover.path for leftover in leftovers(layout)] == [tmp_path / OURS[2]], "the store is swept as it is read"
