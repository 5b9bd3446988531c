"""The kept outputs of the trunk: computed once per view and place, and read without holding files open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import normalise
from meter_pipeline.training import trunk_cache
from meter_pipeline.training.frozen_trunk import FrozenTrunk
from meter_pipeline.training.trunk_cache import TrunkCache
from meter_pipeline_tests.support.wall_plates import plate_on_a_wall

pytestmark = pytest.mark.slow


def test_another_direction_computes_only_what_it_moves(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path
) -> None:
    photos = []
    for seed in range(3):
        path = tmp_path / f"{seed}.png"
        plate_on_a_wall(seed)[0].save(path)
        photos.append((f"photo{seed}", path))

    def filled(direction: tuple[float, ...]) -> dict[Path, int]:
        other = replace(preprocess, direction=direction)
        TrunkCache(tmp_path / "cache", backbone, other, 0, torch.device("cpu")).fill(photos, 5)
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}

    first = filled(preprocess.direction)
    assert len(first) == 6  # the framed views of three photos, and the located ones
    assert filled(tuple(value * 1.0001 for value in preprocess.direction)) == first
    turned = filled(tuple(-value for value in preprocess.direction))
    assert first.items() < turned.items()
    assert len(turned) == 9
    rotten = next(iter(first))
    content = rotten.read_bytes()
    rotten.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    assert filled(preprocess.direction).keys() == turned.keys()
    assert rotten.read_bytes() == content


def test_a_thousand_kept_photos_do_not_hold_their_files_open(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path
) -> None:
    """Once each sample was a view of its mapped file: a direction was learned with a thousand files open."""
    resource = pytest.importorskip("resource")
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
    cache.fill([("a", path)], 3)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limit[1]))
    try:
        kept = [cache.sample("a", 3, number % 3) for number in range(300)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert len(kept) == 300


def test_a_photo_is_decoded_and_augmented_once(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once framed and located samples were computed one after the other, each from photos that it opened itself."""
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    calls: Counter[str] = Counter()
    monkeypatch.setattr(Preprocess, "open", _counted(Preprocess.open, calls, "decoded"))
    monkeypatch.setattr(trunk_cache, "augmented", _counted(trunk_cache.augmented, calls, "augmented"))
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
    cache.fill([("a", path)], 12)
    assert calls == {"decoded": 1, "augmented": 3}
    cache.fill([("a", path)], 12)
    assert calls == {"decoded": 1, "augmented": 3}


def test_a_whole_that_a_direction_was_learned_from_is_not_computed_again(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    views: list[int] = []
    maps = FrozenTrunk.maps

    def counted(self: FrozenTrunk, pixels: np.ndarray) -> np.ndarray:
        views.append(len(pixels))
        return maps(self, pixels)

    monkeypatch.setattr(FrozenTrunk, "maps", counted)
    undirected = replace(preprocess, direction=())
    cache = TrunkCache(tmp_path / "cache", backbone, undirected, 0, torch.device("cpu"))
    whole = cache.wholes([("a", path)], 6)[0]
    cache = cache.with_direction(preprocess.direction)
    cache.fill([("a", path)], 6)
    assert sum(views) == 6
    assert np.array_equal(cache.sample("a", 6, 0), whole)
    views.clear()
    again = TrunkCache(tmp_path / "cache", backbone, undirected, 0, torch.device("cpu"))
    assert np.array_equal(again.wholes([("a", path)], 6)[0], whole)
    assert views == []


def test_outputs_are_held_in_memory_as_long_as_there_is_room(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
    cache.fill([("a", path), ("b", path)], 3)
    reads: Counter[str] = Counter()
    monkeypatch.setattr(trunk_cache.np, "load", _counted(np.load, reads, "read"))

    def reads_of(most: int) -> int:
        monkeypatch.setattr(trunk_cache, "MOST_IN_MEMORY", most)
        other = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
        expected = {name: cache.maps(name, 3) for name in ("a", "b")}
        for name, maps in expected.items():
            assert np.array_equal(other.maps(name, 3), maps)
        reads.clear()
        for name, maps in expected.items():
            assert np.array_equal(other.sample(name, 3, 1), maps[1])
        return reads["read"]

    framed, located = (file.stat().st_size for file in cache.files("a", 3))
    assert reads_of(2 * (framed + located)) == 0
    assert reads_of(framed + located) == 1, "the second photo's"


def _counted(function: Callable[..., Any], calls: Counter[str], name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        return function(*arguments, **named)

    return call


@pytest.mark.parametrize("samples", [3, 5, 8])
def test_samples_are_the_views_in_turn(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path, samples: int
) -> None:
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
    cache.fill([("a", path)], samples)
    maps = cache.maps("a", samples)
    assert maps.shape[0] == samples
    pixels = np.concatenate(
        [preprocess.framed_pixels(image), preprocess.located_pixels(image, maps[0].astype(np.float32))]
    )
    with torch.inference_mode():
        expected = backbone.trunk(normalise(preprocess, pixels)).numpy()
    assert np.allclose(maps[:3].astype(np.float32), expected, atol=0.02)
    for number in range(samples):
        assert np.array_equal(cache.sample("a", samples, number), maps[number])
        if number >= 3:  # augmented
            assert not np.allclose(maps[number].astype(np.float32), expected[number % 3], atol=0.02)
    assert np.array_equal(cache.maps("a", samples, use=3), maps[:3])
