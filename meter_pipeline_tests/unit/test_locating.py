"""Where the meter is: found on drawn photos by the real trunk, kept by place, and left alone by models from before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from meter_pipeline.core.backbones import Backbone, load_backbone
from meter_pipeline.core.locating import fit_direction, locate, square_around
from meter_pipeline.core.photos import PhotoError
from meter_pipeline.core.preprocess import LOCATED, Preprocess
from meter_pipeline.core.trunk_cache import TrunkCache

SHARE = st.floats(0, 1, allow_nan=False)


def plate_on_a_wall(seed: int, size: tuple[int, int] = (360, 480)) -> tuple[Image.Image, tuple[float, float]]:
    """Draw a printed plate somewhere on a plain wall; return the photo and the middle of the plate."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(v) for v in random.integers(90, 230, 3)))
    pen = ImageDraw.Draw(image)
    left, top = int(random.integers(5, size[0] - 165)), int(random.integers(5, size[1] - 145))
    pen.rounded_rectangle((left, top, left + 160, top + 140), 8, fill=(225, 225, 220), outline=(40, 40, 40), width=3)
    for line in range(5):
        text = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789 "), 13))
        pen.text((left + 10, top + 8 + 26 * line), text, font=ImageFont.load_default(18), fill=(20, 20, 30))
    return image, (left + 80.0, top + 70.0)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("efficientnet_lite0", "imagenet")


@pytest.fixture(scope="module")
def preprocess(backbone: Backbone) -> Preprocess:
    found = Preprocess(backbone.mean, backbone.std)
    maps = np.concatenate([whole_map(backbone, found, plate_on_a_wall(seed)[0]) for seed in range(12)])
    return replace(found, direction=fit_direction(maps))


def whole_map(backbone: Backbone, preprocess: Preprocess, image: Image.Image) -> np.ndarray:
    with torch.inference_mode():
        squeezed = np.asarray(preprocess.view(image, "squeezed"))[None]
        return backbone.trunk.eval()(preprocess.normalise(squeezed)).numpy()


def test_the_plate_is_found_wherever_it_is(backbone: Backbone, preprocess: Preprocess) -> None:
    off, inside = [], 0
    for seed in range(100, 120):
        image, (x, y) = plate_on_a_wall(seed)
        place = preprocess.place(whole_map(backbone, preprocess, image)[0])
        assert place is not None
        off.append(np.hypot(place[0] * image.width - x, place[1] * image.height - y))
        left, top, right, bottom = square_around(place, image.size, LOCATED["meter"].reach, LOCATED["meter"].smallest)
        inside += left < x < right and top < y < bottom
    assert inside == 20
    assert np.median(off) < 40  # of a plate of 160 x 140


def test_the_located_views_show_more_of_it_than_the_whole(backbone: Backbone, preprocess: Preprocess) -> None:
    image, _ = plate_on_a_wall(7, (800, 1000))
    pixels = preprocess.located_pixels(image, whole_map(backbone, preprocess, image)[0])
    assert pixels.shape == (2, 224, 224, 3)
    bright = [float((view.min(axis=2) > 215).mean()) for view in (preprocess.framed_pixels(image)[0], *pixels)]
    assert bright[0] < bright[1] <= bright[2]


@given(x=SHARE, y=SHARE, wide=SHARE, high=SHARE, size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_a_square_lies_within_the_photo(x: float, y: float, wide: float, high: float, size: tuple[int, int]) -> None:
    for view in LOCATED.values():
        left, top, right, bottom = square_around((x, y, wide, high), size, view.reach, view.smallest)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        assert right - left == pytest.approx(bottom - top)


def test_maps_without_places_or_without_differences_have_no_direction(preprocess: Preprocess) -> None:
    assert fit_direction(np.zeros((4, 192), np.float16)) == ()  # a backbone whose outputs are pooled
    assert fit_direction(np.ones((4, 8, 7, 7), np.float16)) == ()
    assert fit_direction(np.full((4, 8, 7, 7), np.nan)) == ()
    assert fit_direction(np.zeros((0, 8, 7, 7))) == ()
    assert locate(np.ones((len(preprocess.direction), 7, 7)), preprocess.direction) is None


def test_where_nothing_is_found_the_middle_is_looked_at(preprocess: Preprocess) -> None:
    image, _ = plate_on_a_wall(3)
    middle = Preprocess(preprocess.mean, preprocess.std, views=("squeezed", "centre", "zoomed"))
    flat = np.ones((len(preprocess.direction), 7, 7))
    assert np.array_equal(preprocess.located_pixels(image, flat), middle.framed_pixels(image)[1:])
    undirected = replace(preprocess, direction=())
    assert np.array_equal(undirected.located_pixels(image, flat), middle.framed_pixels(image)[1:])


def test_models_from_before_keep_their_views_and_their_id() -> None:
    before = Preprocess((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), views=("squeezed", "centre", "zoomed"))
    assert before.preprocess_id == "4523540f6e81"
    assert before.framed_pixels(plate_on_a_wall(1)[0]).shape[0] == 3


def test_another_direction_computes_only_what_it_moves(
    backbone: Backbone, preprocess: Preprocess, tmp_path: Path
) -> None:
    photos = []
    for seed in range(3):
        path = tmp_path / f"{seed}.png"
        plate_on_a_wall(seed)[0].save(path)
        photos.append((f"photo{seed}", path))
    device = torch.device("cpu")
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, device)
    cache.fill(photos, 4)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert len(written) == 6
    for path in tmp_path.glob("*.png"):
        path.unlink()  # what is kept is not computed again, so the photos are not asked for
    nearly = replace(preprocess, direction=tuple(value * 1.0001 for value in preprocess.direction))
    assert nearly.preprocess_id != preprocess.preprocess_id
    TrunkCache(tmp_path / "cache", backbone, nearly, 0, device).fill(photos, 4)
    away = replace(preprocess, direction=tuple(-value for value in preprocess.direction))
    with pytest.raises(PhotoError):
        TrunkCache(tmp_path / "cache", backbone, away, 0, device).fill(photos, 4)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == written


def test_samples_are_the_views_in_turn(backbone: Backbone, preprocess: Preprocess, tmp_path: Path) -> None:
    image, _ = plate_on_a_wall(5)
    path = tmp_path / "a.png"
    image.save(path)
    cache = TrunkCache(tmp_path / "cache", backbone, preprocess, 0, torch.device("cpu"))
    cache.fill([("a", path)], 7)
    maps = cache.maps("a", 7)
    assert maps.shape[0] == 7
    pixels = np.concatenate(
        [preprocess.framed_pixels(image), preprocess.located_pixels(image, maps[0].astype(np.float32))]
    )
    with torch.inference_mode():
        expected = backbone.trunk(preprocess.normalise(pixels)).numpy()
    assert np.allclose(maps[:3].astype(np.float32), expected, atol=0.02)
    assert not np.allclose(maps[3].astype(np.float32), expected[0], atol=0.02)  # augmented
    assert np.array_equal(cache.sample("a", 7, 5), maps[5])


def test_the_plate_counts_half_in_the_embedding(preprocess: Preprocess) -> None:
    of_views = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]])
    assert preprocess.embedding(of_views).tolist() == [[pytest.approx(1.4), pytest.approx(1.4)]]
    framed = replace(preprocess, views=("squeezed", "centre", "zoomed"), direction=())
    assert framed.embedding(of_views).tolist() == [[pytest.approx(2.0), pytest.approx(2.0)]]
