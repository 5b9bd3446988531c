"""What is to become of each photo that a person named: where it goes in `data/raw`, or why it does not.

Decides only, and changes no file; `promoted_images` does what is decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from meter_pipeline.dataset.class_folders import class_labels, folder_of
from meter_pipeline.dataset.labelled_files import LabelledFiles
from meter_pipeline.dataset.promoted_files import is_promotions_own, promoted_name
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action, Promotion, class_key
from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.photos.near_duplicates import HASH_KIND, perceptual_hash
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.review.class_names import safe_spelling
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES, UNKNOWN_CLUSTERS

PHOTOS_AHEAD = 64
HASHED_SIDE = 256
"""Pixels; a JPEG is decoded no larger than the hash needs, as for the clusters, so that the hashes are the same."""
_ID_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class NamedPhoto:
    """A photo and the class it was named.

    Attributes:
        image_id: the photo.
        label: the class, as its folder is or will be called.
        decision_id: the decision that named it.
        is_disputed: whether somebody else named it differently, and neither knew of the other.
        disputed_labels: the other names.
    """

    image_id: str
    label: str
    decision_id: str
    is_disputed: bool = False
    disputed_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settled:
    """What becomes of a named photo.

    Attributes:
        photo: the photo.
        status: whether it lies in data/raw, or will.
        path: where, below data/raw; None unless promoted.
        reason: why it is not promoted, or a note.
        is_to_copy: whether its file has yet to be copied there.
        hash: its perceptual hash; None unless promoted.
    """

    photo: NamedPhoto
    status: Promotion
    path: str | None = None
    reason: str | None = None
    is_to_copy: bool = False
    hash: str | None = None

    @property
    def is_own_file(self) -> bool:
        """Whether its file is one that promotion puts there, not one that a person had put there."""
        return self.path is not None and is_promotions_own(self.path, self.photo.image_id)


@dataclass(frozen=True)
class Surroundings:
    """What the plan looks at besides the decisions.

    Attributes:
        layout: the data directory.
        inventory: rows of `tables.IMAGE_INVENTORY`.
        files: the files of data/raw now.
        own: image_id to path of the files that promotion put there before.
        places: image_id to the paths of its bytes in data/raw.
        stored: the named photos whose bytes are in the store.
    """

    layout: Layout
    inventory: pd.DataFrame
    files: LabelledFiles
    own: Mapping[str, str]
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()

    def untouched(self) -> Iterator[tuple[str, str]]:
        """Yield image_id and path of the files of promotion that are there and that nobody changed."""
        for image_id, path in self.own.items():
            if path in self.files and self.files.image_id(path) == image_id:
                yield image_id, path


def plan(layout: Layout, reviewed: pd.DataFrame, own: Mapping[str, str]) -> tuple[list[Settled], Surroundings]:
    """Settle what becomes of each named photo, by image_id; also return what was looked at.

    Args:
        layout: the data directory.
        reviewed: rows of `tables.REVIEWED_IMAGES`.
        own: image_id to path of the files that promotion put into data/raw before.
    """
    inventory = layout.lake.frame(IMAGE_INVENTORY)
    files = LabelledFiles(layout.raw, inventory)
    photos = _named(reviewed, class_labels(files.paths, inventory["label"].dropna()))
    sizes = {photo.image_id: _stored_size(layout, photo.image_id) for photo in photos}
    around = Surroundings(
        layout=layout,
        inventory=inventory,
        files=files,
        own=own,
        places=files.where_lie(sizes),
        stored=frozenset(image_id for image_id, size in sizes.items() if size is not None),
    )
    return _examined([_settle(photo, around) for photo in photos], around), around


def classes_learned_anyway(settled: Sequence[Settled], around: Surroundings) -> set[str]:
    """Return the keys of the classes of `settled` that have photos which a person put there, not promotion.

    A file that the inventory does not know yet counts if it begins like a photo.
    """
    wanted = {class_key(s.photo.label) for s in settled if s.status == Promotion.PROMOTED}
    learned = {class_key(s.photo.label) for s in settled if s.path is not None and not s.is_own_file}
    own = {s.path for s in settled if s.is_own_file} | {path for _, path in around.untouched()}
    inventory = around.inventory[around.inventory["label"].notna()]
    used = dict(zip(inventory["path"], inventory["reason"].isna(), strict=True))
    for path in around.files.paths:
        folder = folder_of(path)
        key = None if folder is None else class_key(folder)
        if key not in wanted - learned or path in own:
            continue
        if used[path] if path in used else around.files.looks_like_photo(path):
            learned.add(class_key(str(folder)))
    return learned & wanted


def _named(reviewed: pd.DataFrame, labels: Mapping[str, str]) -> list[NamedPhoto]:
    """Return the named photos by image_id; of a class whose folder is there, each bears the label of that folder."""
    spelling = {class_key(label): label for label in labels.values()}
    rows = reviewed[(reviewed["action"] == Action.NAME) & reviewed["label"].notna()]
    for label in rows.sort_values(["at", "decision_id", "image_id"])["label"]:
        spelling.setdefault(class_key(label), label)
    return [
        NamedPhoto(
            image_id=row["image_id"],
            label=spelling[class_key(row["label"])],
            decision_id=row["decision_id"],
            is_disputed=bool(row["disputed"]),
            disputed_labels=tuple(json.loads(row["disputed_labels"])) if pd.notna(row["disputed_labels"]) else (),
        )
        for row in rows.sort_values("image_id").to_dict("records")
    ]


def _stored_size(layout: Layout, image_id: str) -> int | None:
    """Return the size of a photo in the store; None if it is not there, or this is not the id of a photo."""
    if len(image_id) != 64 or not _ID_DIGITS.issuperset(image_id):
        return None
    path = layout.image(image_id)
    return path.stat().st_size if path.is_file() else None


def _settle(photo: NamedPhoto, around: Surroundings) -> Settled:
    """Say what becomes of a photo, as far as names and places tell."""
    if photo.is_disputed:
        others = ", ".join(photo.disputed_labels) or "something else"
        return Settled(
            photo,
            Promotion.DISPUTED,
            reason=f"Named {photo.label} and {others} by people who did not know of each other: name it once more.",
        )
    places, own = around.places.get(photo.image_id, ()), around.own.get(photo.image_id)
    elsewhere = [path for path in places if path != own and not _is_of_class(path, photo.label)]
    if elsewhere:
        return Settled(
            photo,
            Promotion.LABELLED_OTHERWISE,
            reason=f"A person put it into {', '.join(elsewhere)}: delete it there, or undo the decision.",
        )
    here = [path for path in places if _is_of_class(path, photo.label)]
    by_hand = [path for path in here if not is_promotions_own(path, photo.image_id)]
    if by_hand:
        return Settled(photo, Promotion.PROMOTED, by_hand[0], "A person had put it into this class already.")
    if here:
        return Settled(photo, Promotion.PROMOTED, own if own in here else here[0])
    return _settle_absent(photo, around)


def _settle_absent(photo: NamedPhoto, around: Surroundings) -> Settled:
    """Say what becomes of a photo that does not lie in data/raw."""
    refusal = _refusal_of_class(photo.label, around)
    if refusal is not None:
        return Settled(photo, Promotion.REFUSED, reason=refusal)
    own, target = around.own.get(photo.image_id), f"{photo.label}/{promoted_name(photo.image_id)}"
    for path in (own, target):
        if path is not None and path in around.files and _is_of_class(path, photo.label):
            return Settled(
                photo,
                Promotion.REFUSED,
                reason=f"{path} was changed since it was promoted, and is left as it is: delete or rename that file to"
                " have the photo as it was fetched.",
            )
    if photo.image_id not in around.stored:
        return Settled(photo, Promotion.MISSING, reason="Its file is not in data/images: fetch it again, or undo this.")
    return Settled(photo, Promotion.PROMOTED, target, is_to_copy=True)


def _refusal_of_class(label: str, around: Surroundings) -> str | None:
    """Return why a class cannot be a folder of data/raw; None if it can."""
    try:
        safe = safe_spelling(label)
    except MeterError as error:
        return error.what
    if safe != label and not any(folder_of(path) == label for path in around.files.paths):
        return f"{label!r} cannot be a folder: name it {safe!r}."
    return None


def _is_of_class(path: str, label: str) -> bool:
    folder = folder_of(path)
    return folder is not None and class_key(folder) == class_key(label)


def _examined(settled: Sequence[Settled], around: Surroundings) -> list[Settled]:
    """Add the hashes of the promoted photos; one whose file cannot be used is refused."""
    known = dict(_known_hashes(around.layout))

    def examine(photo: Settled) -> Settled:
        if photo.path is None:
            return photo
        image_id = photo.photo.image_id
        file = around.layout.image(image_id) if photo.is_to_copy else around.layout.raw / photo.path
        try:
            if photo.is_to_copy:
                _require_whole(file, image_id)
            return replace(photo, hash=known.get(image_id) or _hash(file))
        except PhotoError as error:
            return Settled(photo.photo, Promotion.REFUSED, reason=error.reason)

    return list(in_parallel(examine, settled, ahead=PHOTOS_AHEAD))


def _known_hashes(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield the hashes that were computed before; what was promoted is kept where clusters have no photo any more."""
    for table in (UNKNOWN_CLUSTERS, PROMOTED_IMAGES):
        rows = layout.lake.frame(table, ["image_id", "perceptual_hash"]).dropna()
        for image_id, found in zip(rows["image_id"], rows["perceptual_hash"], strict=True):
            if found.startswith(f"{HASH_KIND}:"):
                yield image_id, found


def _require_whole(file: Path, image_id: str) -> None:
    try:
        found = sha256_of(file)
    except OSError as error:
        raise PhotoError("unreadable", f"The file cannot be read: {error.strerror or error}.", where=file) from error
    if found != image_id:
        raise PhotoError(
            "damaged", "Its file in data/images is damaged: delete it there and fetch it again.", where=file
        )


def _hash(file: Path) -> str:
    return perceptual_hash(open_photo(file, smallest_side=HASHED_SIDE).image)
