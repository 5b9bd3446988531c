"""Words of the contract that are computed."""

from __future__ import annotations

from meter_pipeline.labels import counted


def test_a_count_is_said_with_its_noun() -> None:
    assert [counted(1, "class", "classes"), counted(1200, "row"), counted(0, "photo")] == [
        "1 class",
        "1,200 rows",
        "0 photos",
    ]
