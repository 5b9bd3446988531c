"""Photos of one physical meter: bursts and copies share an id, which they keep as photos come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meter_pipeline.discovery import same_meter
from meter_pipeline.discovery.same_meter import hash_photos, same_meter_groups
from meter_pipeline_tests.support.unknown_photos import draw_meter


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    burst, others = [tmp_path / f"a{n}.jpg" for n in range(3)], [tmp_path / f"b{n}.jpg" for n in range(3)]
    for n in range(3):
        burst[n].write_bytes(draw_meter(1, brightness=1 + 0.08 * n))
        others[n].write_bytes(draw_meter(2 + n))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a photo")
    return [*burst, *others, broken, tmp_path / "lost.jpg"]


def test_a_burst_is_one_meter_and_the_rest_are_their_own(photos: list[Path]) -> None:
    hashes = hash_photos(photos, [None] * 8)
    groups = same_meter_groups([path.stem for path in photos], hashes, np.zeros(8, int), {})
    assert hashes[-2:] == [None, None]
    assert len(set(groups[:3])) == 1
    assert len(set(groups)) == 6


def test_hashes_once_computed_are_not_computed_again(photos: list[Path]) -> None:
    hashes = hash_photos(photos, [None] * 8)
    assert hash_photos([Path("gone.jpg")] * 6, hashes[:6]) == hashes[:6]


def test_a_group_keeps_its_id_as_photos_come(photos: list[Path]) -> None:
    hashes = hash_photos(photos, [None] * 8)
    ids = [path.stem for path in photos]
    first = same_meter_groups(ids[1:4], hashes[1:4], np.zeros(3, int), {})
    grown = same_meter_groups(ids, hashes, np.zeros(8, int), dict(zip(ids[1:4], first, strict=True)))
    assert grown[1:4] == first
    assert grown[0] == first[0]


def test_a_very_large_set_is_compared_within_clusters(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_meter, "LARGEST_COMPARED", 4)
    hashes = hash_photos(photos, [None] * 8)
    groups = same_meter_groups([path.stem for path in photos], hashes, np.array([0, 0, 1, 0, 1, -1, -1, -1]), {})
    assert groups[0] == groups[1] != groups[2]
    assert len(set(groups)) == 7


def test_ten_thousand_copies_are_one_meter(photos: list[Path]) -> None:
    (hash_,) = hash_photos(photos[:1], [None])
    ids = [f"{number:05d}" for number in range(10_000)]
    groups = same_meter_groups(ids, [hash_] * 10_000, np.zeros(10_000, int), {"00123": "known before"})
    assert set(groups) == {"known before"}
