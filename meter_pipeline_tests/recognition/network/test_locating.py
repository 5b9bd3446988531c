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

from meter_pipeline.recognition.embeddings import normalised
from meter_pipeline.recognition.features import extract_features
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.recognition.network.backbones import Backbone, load_backbone
from meter_pipeline.recognition.network.locating import fit_direction, locate, square_around
from meter_pipeline.recognition.network.preprocess import LOCATED, Preprocess
from meter_pipeline.settings import TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model
from meter_pipeline.training.trunk_cache import TrunkCache
from meter_pipeline_tests.support.patterns import split_of

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
    maps = np.concatenate([whole_map(backbone, found, plate_on_a_wall(seed)[0]) for seed in range(8)])
    return replace(found, direction=fit_direction(maps))


def whole_map(backbone: Backbone, preprocess: Preprocess, image: Image.Image) -> np.ndarray:
    with torch.inference_mode():
        squeezed = np.asarray(preprocess.view(image, "squeezed"))[None]
        return backbone.trunk.eval()(preprocess.normalise(squeezed)).numpy()


def test_the_plate_is_found_wherever_it_is(backbone: Backbone, preprocess: Preprocess) -> None:
    off, inside = [], 0
    for seed in range(100, 112):
        image, (x, y) = plate_on_a_wall(seed)
        place = preprocess.place(whole_map(backbone, preprocess, image)[0])
        assert place is not None
        off.append(np.hypot(place[0] * image.width - x, place[1] * image.height - y))
        left, top, right, bottom = square_around(place, image.size, LOCATED["meter"].reach, LOCATED["meter"].smallest)
        inside += left < x < right and top < y < bottom
    assert inside == 12
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
    random = np.random.default_rng(0).normal(size=(4, 14, 14, 384))
    assert fit_direction(random) == ()  # channels last
    assert len(fit_direction(random.transpose(0, 3, 1, 2))) == 384
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
        expected = backbone.trunk(preprocess.normalise(pixels)).numpy()
    assert np.allclose(maps[:3].astype(np.float32), expected, atol=0.02)
    for number in range(samples):
        assert np.array_equal(cache.sample("a", samples, number), maps[number])
        if number >= 3:  # augmented
            assert not np.allclose(maps[number].astype(np.float32), expected[number % 3], atol=0.02)
    assert np.array_equal(cache.maps("a", samples, use=3), maps[:3])


def test_the_nameplate_counts_a_quarter_in_the_embedding(preprocess: Preprocess) -> None:
    of_views = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]])
    assert preprocess.embedding(of_views).tolist() == [[pytest.approx(1.0), pytest.approx(1.0)]]


def test_the_id_follows_from_views_and_direction() -> None:
    """Models and what was computed with them are told apart by it: the same views keep their id for good."""
    plain = Preprocess((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert plain.preprocess_id == "a575295fbf39"
    assert replace(plain, direction=(0.5, -0.5)).preprocess_id == "b6103bf2d730"
    assert replace(plain, views=("squeezed", "meter")).preprocess_id != plain.preprocess_id


@pytest.mark.parametrize("views", [("meter", "squeezed"), ("squeezed", "meter", "zoomed"), ("centre", "meter")])
def test_views_in_another_order_are_refused(views: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Located views come last"):
        Preprocess((0.5,) * 3, (0.5,) * 3, views=views)


def test_a_view_that_is_none_is_refused(preprocess: Preprocess) -> None:
    with pytest.raises(KeyError, match="meter"):
        preprocess.view(plate_on_a_wall(1)[0], "meter")


@pytest.mark.slow
def test_a_backbone_without_feature_maps_looks_at_the_middle_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout = Layout(tmp_path)
    split = split_of(layout.raw, {"BLUE_A": (3, 0, 1), "GREY_A": (3, 0, 1)})
    small = {"backbone": "vit_tiny_patch16_224", "weights": "none", "epochs_head": 1, "epochs_tune": 0}
    config = TrainingSettings.from_settings(load_settings(data_dir=tmp_path, train_views=4, guard_folds=0, **small))
    card = train_model(split, layout, config)
    assert card.preprocess["direction"] == ()
    assert card.as_dict()["preprocess"]["direction"] == "0 numbers"
    assert "On 6 of 6 photos nothing tells the meter from what is around it" in caplog.text
    model = load_model(layout, card.version)
    features = next(extract_features(model, [("a", layout.raw / split["path"][0])]))
    assert np.isfinite(features.logits).all()


@pytest.mark.slow
def test_a_photo_is_seen_alike_alone_beside_others_and_in_training(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    split = split_of(layout.raw, {"BLUE_A": (4, 0, 1), "GREY_A": (4, 0, 1)})
    small = {"backbone": "efficientnet_lite0", "epochs_head": 1, "epochs_tune": 1, "train_views": 5, "guard_folds": 0}
    card = train_model(split, layout, TrainingSettings.from_settings(load_settings(data_dir=tmp_path, **small)))
    model = load_model(layout, card.version)
    assert len(model.preprocess.direction) == 192
    photos = [(name, layout.raw / path) for name, path in zip(split["image_id"], split["path"], strict=True)]
    together = next(extract_features(model, photos))
    for row, photo in enumerate(photos[:3]):
        alone = next(extract_features(model, [photo]))
        assert np.array_equal(alone.logits[0], together.logits[row])
    large = tmp_path / "large.png"
    plate_on_a_wall(3)[0].resize((1500, 2000)).save(large)  # decoded twice
    small_one, large_one = next(extract_features(model, [photos[0], ("large", large)])).logits
    assert np.array_equal(small_one, together.logits[0])
    assert np.array_equal(large_one, next(extract_features(model, [("large", large.read_bytes())])).logits[0])
    known = model.reference.image_ids.index(photos[0][0])
    seen = normalised(together.embeddings.tuned[:1])[0]
    assert float(seen @ model.reference.known.embeddings.tuned[known]) > 0.999
