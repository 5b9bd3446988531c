"""Near-duplicates: perceptual hashes, and the groups of photos that must stay on one side of a split.

Hash and threshold were chosen on real photos: docs/decisions/0002-near-duplicates.md. What a hash cannot see (one meter
photographed twice from two sides) a person declares in `groups.csv`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

HASH_KIND = "p10d8v8"
"""Names the hash in front of its digits, so that hashes of another kind are never compared with it."""
HASH_BITS = 228
"""100 of the perceptual hash (10 x 10 lowest frequencies), 64 of the difference hash along rows, 64 along columns."""
MAX_DISTANCE = 34
"""Bits in which two photos of one group may differ."""
MIN_CONTRAST = 4.0
"""Standard deviation of luma; below it a photo is a blank wall or the dark, and its hash is noise: it joins nothing."""
_HASHED_SIDE = 256
_WORDS = 4
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates, by their place in the sequence of hashes; `first` < `second`."""

    first: int
    second: int
    distance: int


def perceptual_hash(image: Image.Image) -> str:
    """Return the perceptual hash of an RGB photo: its kind, a colon and hex digits."""
    grey = image.convert("L")
    if max(grey.size) > _HASHED_SIDE:
        scale = _HASHED_SIDE / max(grey.size)
        width, height = (max(1, round(side * scale)) for side in grey.size)
        grey = grey.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    if float(np.asarray(grey, np.float32).std()) < MIN_CONTRAST:
        return f"{HASH_KIND}:"
    parts = (imagehash.phash(grey, 10), imagehash.dhash(grey, 8), imagehash.dhash_vertical(grey, 8))
    bits = np.concatenate([part.hash.ravel() for part in parts])
    return f"{HASH_KIND}:{np.packbits(bits).tobytes().hex()}"


def near_pairs(hashes: Sequence[str], *, only: np.ndarray | None = None) -> Iterator[Pair]:
    """Yield the pairs of photos whose hashes differ in at most `MAX_DISTANCE` bits, each once.

    Exhaustive, in blocks: one second for 10,000 photos, half a minute for 50,000; memory grows with the photos only.

    Args:
        hashes: perceptual hashes; one of another kind, or of a blank photo, pairs with nothing.
        only: one flag per photo; of each pair at least one photo must be flagged. None: all are.
    """
    usable = np.flatnonzero([hash_.startswith(f"{HASH_KIND}:") and not hash_.endswith(":") for hash_ in hashes])
    if len(usable) < 2:
        return
    words = _words([hashes[place] for place in usable.tolist()])
    flags = np.ones(len(usable), bool) if only is None else np.asarray(only, bool)[usable]
    flagged = np.flatnonzero(flags)
    for start in range(0, len(flagged), _BLOCK_ROWS):
        rows = flagged[start : start + _BLOCK_ROWS]
        from_column = start if only is None else 0  # without flags, pairs with earlier blocks were seen already
        distances = np.zeros((len(rows), len(usable) - from_column), np.uint16)
        for word in range(_WORDS):
            distances += np.bitwise_count(words[rows, word][:, None] ^ words[None, from_column:, word])
        for row, column in np.argwhere(distances <= MAX_DISTANCE):
            here, there = int(rows[row]), int(column) + from_column
            if here < there or (here > there and not flags[there]):
                first, second = sorted((int(usable[here]), int(usable[there])))
                yield Pair(first, second, int(distances[row, column]))


def group_photos(
    image_ids: Sequence[str],
    hashes: Sequence[str],
    *,
    scope: str,
    previous: dict[str, str] | None = None,
    declared: dict[str, str] | None = None,
) -> list[str]:
    """Group the photos of one class and return one group id per photo.

    Photos are joined, nearest first, where their hashes are near or where a person declared them to be of one meter.
    Groups are stable: photos that were in different groups before are not joined by a new photo that resembles both
    (it goes to the nearer one), because the groups may be on two sides of the split already. What a person declares is
    joined in any case. A group that gains photos keeps its id.

    Args:
        image_ids: the photos, no two alike.
        hashes: their perceptual hashes.
        scope: the class; two classes never share a group id.
        previous: image_id to group id of the photos that were grouped before.
        declared: image_id to the name of the physical meter.
    """
    previous, declared = previous or {}, declared or {}
    before = [previous.get(image_id) for image_id in image_ids]
    groups = _Groups(before)
    meters: dict[str, int] = {}
    for place, image_id in enumerate(image_ids):
        if image_id in declared:
            groups.join(meters.setdefault(declared[image_id], place), place, always=True)
    for pair in sorted(_joinable(hashes, before), key=lambda p: (p.distance, *_ids(p, image_ids))):
        groups.join(pair.first, pair.second)
    members: dict[int, list[str]] = {}
    for place, image_id in enumerate(image_ids):
        members.setdefault(groups.find(place), []).append(image_id)
    names = _name_groups([sorted(group) for group in members.values()], previous, scope)
    return [names[image_id] for image_id in image_ids]


def _joinable(hashes: Sequence[str], before: list[str | None]) -> Iterator[Pair]:
    """Near pairs with a new photo, and those within a former group: no others can be joined."""
    yield from near_pairs(hashes, only=np.array([group is None for group in before], bool))
    former: dict[str, list[int]] = {}
    for place, group in enumerate(before):
        if group is not None:
            former.setdefault(group, []).append(place)
    for places in former.values():
        for pair in near_pairs([hashes[place] for place in places]):
            yield Pair(places[pair.first], places[pair.second], pair.distance)


def _ids(pair: Pair, image_ids: Sequence[str]) -> list[str]:
    return sorted((image_ids[pair.first], image_ids[pair.second]))


class _Groups:
    """Union-find whose groups remember which former groups their members come from."""

    def __init__(self, before: list[str | None]) -> None:
        self._parent = list(range(len(before)))
        self._former = [frozenset([group] if group is not None else []) for group in before]

    def find(self, place: int) -> int:
        while self._parent[place] != place:
            self._parent[place] = self._parent[self._parent[place]]
            place = self._parent[place]
        return place

    def join(self, first: int, second: int, *, always: bool = False) -> None:
        """Join two photos' groups, except two that were apart before (unless `always`)."""
        a, b = self.find(first), self.find(second)
        former_a, former_b = self._former[a], self._former[b]
        if a != b and (always or not former_a or not former_b or former_a & former_b):
            self._parent[max(a, b)] = min(a, b)
            self._former[min(a, b)] = former_a | former_b


def _name_groups(groups: Iterable[list[str]], previous: dict[str, str], scope: str) -> dict[str, str]:
    """Give each group its former id, the smallest where it has several, or one made of its smallest member."""
    ordered = sorted(groups)
    ids: dict[str, str] = {}
    taken: set[str] = set()
    unnamed = []
    for group in ordered:
        free = sorted({previous[member] for member in group if member in previous} - taken)
        if free:
            taken.add(free[0])
            ids.update(dict.fromkeys(group, free[0]))
        else:
            unnamed.append(group)
    for group in unnamed:
        # The second name is needed where a former group fell apart and the other part kept the name.
        candidates = (
            hashlib.sha256(f"{scope}\0{n}\0{group[0]}".encode()).hexdigest()[:16] for n in range(len(ids) + 2)
        )
        name = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(name)
        ids.update(dict.fromkeys(group, name))
    return ids


def _words(hashes: list[str]) -> np.ndarray:
    """Hashes as rows of 64-bit words, photos x 4, the last word padded with zeros."""
    digits = [bytes.fromhex(hash_.partition(":")[2]).ljust(_WORDS * 8, b"\0") for hash_ in hashes]
    return np.frombuffer(b"".join(digits), np.uint64).reshape(len(hashes), _WORDS)
