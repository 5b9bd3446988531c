"""Copies of a photo are found, other photos are not, and groups do not change under what was placed before."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from meter_pipeline.photos.near_duplicates import (
    HASH_KIND,
    MAX_DISTANCE,
    group_photos,
    near_pairs,
    perceptual_hash,
)

BITS = 232  # whole bytes


def scene(seed: int) -> Image.Image:
    """A photo-like picture: smooth patches of light and dark."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8)
    return Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC)


def resaved(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def distance(a: str, b: str) -> int:
    return (int(a.partition(":")[2], 16) ^ int(b.partition(":")[2], 16)).bit_count()


def hash_of(number: int) -> str:
    return f"{HASH_KIND}:{number:0{BITS // 4}x}"


def flipped(number: int, bits: int) -> int:
    """`number` with its lowest bits turned over."""
    return number ^ ((1 << bits) - 1)


@pytest.mark.parametrize("seed", range(5))
def test_what_messengers_do_to_a_photo_leaves_it_a_near_duplicate(seed: int) -> None:
    image = scene(seed)
    original = perceptual_hash(image)
    copies = {
        "strong compression": resaved(image, 30),
        "half the size": image.resize((240, 180)),
        "a little brighter": ImageEnhance.Brightness(image).enhance(1.15),
        "a little cropped": image.crop((5, 4, 475, 356)),
    }
    for name, copy in copies.items():
        assert distance(original, perceptual_hash(copy)) <= MAX_DISTANCE, name
    assert distance(original, perceptual_hash(scene(seed + 100))) > MAX_DISTANCE


def test_blank_photos_are_not_each_others_near_duplicates() -> None:
    blank = [perceptual_hash(Image.new("RGB", (300, 300), (level, level, level))) for level in (0, 8, 250)]
    assert list(near_pairs(blank)) == []
    assert len(set(group_photos(["a", "b", "c"], blank, scope="LT2"))) == 3


@given(st.lists(st.integers(0, 2**228 - 1), min_size=2, max_size=20), st.data())
@settings(max_examples=50, deadline=None)
def test_near_pairs_are_exactly_the_pairs_within_the_distance(numbers: list[int], data: st.DataObject) -> None:
    numbers += [flipped(numbers[0], bits) for bits in (1, MAX_DISTANCE, MAX_DISTANCE + 1)]
    hashes = [hash_of(number << 4) for number in numbers]
    only = np.array(data.draw(st.lists(st.booleans(), min_size=len(hashes), max_size=len(hashes))))
    for flags in (None, only):
        found = [(pair.first, pair.second, pair.distance) for pair in near_pairs(hashes, only=flags)]
        expected = [
            (a, b, distance(hashes[a], hashes[b]))
            for a in range(len(hashes))
            for b in range(a + 1, len(hashes))
            if distance(hashes[a], hashes[b]) <= MAX_DISTANCE and (flags is None or flags[a] or flags[b])
        ]
        assert sorted(found) == expected


def test_a_new_photo_between_two_placed_groups_joins_the_nearer_and_leaves_them_apart() -> None:
    left, right = hash_of(0), hash_of((1 << 50) - 1)  # 50 bits apart
    between = hash_of((1 << 20) - 1)  # 20 from the left, 30 from the right
    before = dict(zip("ab", group_photos(["a", "b"], [left, right], scope="LT2"), strict=True))
    assert before["a"] != before["b"]
    after = group_photos(["a", "b", "c"], [left, right, between], scope="LT2", previous=before)
    assert after == [before["a"], before["b"], before["a"]]
    again = group_photos(
        ["a", "b", "c"], [left, right, between], scope="LT2", previous=dict(zip("abc", after, strict=True))
    )
    assert again == after
    assert len(set(group_photos(["a", "b", "c"], [left, right, between], scope="LT2"))) == 1


def test_a_declared_meter_joins_what_looks_different_and_can_be_taken_back() -> None:
    ids, hashes = ["a", "b", "c"], [hash_of(0), hash_of((1 << 100) - 1), hash_of(((1 << 100) - 1) << 110)]
    apart = dict(zip(ids, group_photos(ids, hashes, scope="LT2"), strict=True))
    declared = {"a": "pole 7", "b": "pole 7"}
    joined = dict(zip(ids, group_photos(ids, hashes, scope="LT2", previous=apart, declared=declared), strict=True))
    assert joined["a"] == joined["b"] != joined["c"] == apart["c"]
    taken_back = group_photos(ids, hashes, scope="LT2", previous=joined)
    assert len(set(taken_back)) == 3


@st.composite
def growing_photos(draw: st.DrawFn) -> list[list[int]]:
    """Batches of hashes around a few centres, some bridging two."""
    centres = [0, (1 << 60) - 1, ((1 << 60) - 1) << 30]
    photo = st.builds(
        lambda c, bits, at: centres[c] ^ (((1 << bits) - 1) << at), *map(st.integers, (0,) * 3, (2, 35, 90))
    )
    return draw(st.lists(st.lists(photo, min_size=1, max_size=8), min_size=1, max_size=4))


@given(growing_photos(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_adding_photos_neither_joins_nor_renames_groups_that_were_there(
    batches: list[list[int]], random: object
) -> None:
    photos: list[tuple[str, str]] = []
    groups: dict[str, str] = {}
    for batch in batches:
        photos += [(f"photo{len(photos) + n:03d}", hash_of(number)) for n, number in enumerate(batch)]
        random.shuffle(photos)
        ids, hashes = [p[0] for p in photos], [p[1] for p in photos]
        now = dict(zip(ids, group_photos(ids, hashes, scope="LT2", previous=groups), strict=True))
        assert {image_id: now[image_id] for image_id in groups} == groups
        assert dict(zip(ids, group_photos(ids, hashes, scope="LT2", previous=now), strict=True)) == now
        ordered = sorted(photos)
        same = group_photos([p[0] for p in ordered], [p[1] for p in ordered], scope="LT2", previous=groups)
        assert dict(zip([p[0] for p in ordered], same, strict=True)) == now  # the order they come in does not matter
        groups = now


def test_two_classes_never_share_a_group() -> None:
    assert group_photos(["a"], [hash_of(0)], scope="LT1") != group_photos(["a"], [hash_of(0)], scope="LT2")
