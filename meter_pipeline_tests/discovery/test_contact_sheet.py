"""Contact sheets: a large cluster is shown from end to end, and a photo that cannot be read leaves its box empty."""

from __future__ import annotations

from pathlib import Path

from meter_pipeline.discovery.contact_sheet import MAX_PHOTOS, SheetPhoto, chosen_for_sheet, contact_sheet


def test_a_large_cluster_is_shown_from_end_to_end() -> None:
    chosen = chosen_for_sheet(500)
    assert len(chosen) == len(set(chosen)) == MAX_PHOTOS
    assert (chosen[0], chosen[-1]) == (0, 499)
    assert chosen_for_sheet(3) == [0, 1, 2]


def test_photos_that_cannot_be_read_and_names_too_long_do_not_stop_it(tmp_path: Path) -> None:
    missing = SheetPhoto(tmp_path / "none.jpg", "A_CLASS_WITH_A_NAME_FAR_TOO_LONG_FOR_ITS_BOX_B 51.2 %", "0123456789ab")
    assert contact_sheet("Cluster 1", "no photo can be read", [missing] * 7)[:2] == b"\xff\xd8"
