"""Drops: how many rows each has, what became of them, and what was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.dashboard.browsing.drops import RowCounts, list_drops, sum_counts
from meter_pipeline.labels import DropStatus
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.two_drops import write_two_drops


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_two_drops(layout)
    return layout


def test_drops_are_counted_with_what_is_refused_and_what_waits(layout: Layout) -> None:
    july, june = list_drops(layout)
    assert (july.name, july.status, july.reason, july.counts.rows) == ("july", DropStatus.REFUSED, "encrypted", 0)
    assert june.counts == RowCounts(rows=5, named=2, unknown=1, dark=0, error=1, waiting=1)
    assert june.counts.answered == 4
    assert (june.url_columns, june.passed_over) == ("Photo", "Map (links to maps)")
    assert (july.url_columns, july.passed_over) == ("", "")


def test_several_drops_are_counted_together(layout: Layout) -> None:
    july, june = list_drops(layout)
    assert sum_counts([july, june, june]) == RowCounts(rows=10, named=4, unknown=2, dark=0, error=2, waiting=2)
    assert sum_counts([]).answered == 0
