"""Named photos in the data set: they lie in `data/raw/<CLASS>/`, until the decision that named them is undone.

Derived: the decisions, and what people put into `data/raw`, say what has to be there, and promotion makes it so. It may
be ended at any point; the next time it goes on. A file that it makes is in the table first, and a file that it takes
out stays in the table until it is gone, so that no file is without an owner. What a person put into `data/raw`, or
changed there, is never touched.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from meter_pipeline.dataset.declared_groups import read_groups
from meter_pipeline.dataset.labelled_files import LabelledFiles
from meter_pipeline.dataset.labelled_folder import GROUPS_FILE
from meter_pipeline.dataset.promoted_files import PROMOTED_NAME, own_files, promoted_name
from meter_pipeline.dataset.waiting_classes import WaitingClass
from meter_pipeline.errors import DataSetError, MeterError, storage_errors
from meter_pipeline.labels import Promotion, class_key, counted
from meter_pipeline.photos.near_duplicates import group_photos
from meter_pipeline.review.promotion_plan import Settled, Surroundings, classes_learned_anyway, plan
from meter_pipeline.settings import ClassSizeSettings
from meter_pipeline.storage.files import TEMPORARY_PREFIX, replacing, sha256_of
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES, REVIEWED_IMAGES

PHOTOS_SHOWN = 3
"""Photos that a problem names of those that share it."""
_HALF_WRITTEN = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]+-{PROMOTED_NAME.pattern}")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromotionSummary:
    """What a promotion did.

    Attributes:
        promoted: files put into data/raw now.
        removed: files taken out now.
        counts: named photos by status.
        classes: one row per class with promoted photos: class, photos, meters, needed (missing where the class is
            learned anyway), waits.
    """

    promoted: int
    removed: int
    counts: dict[Promotion, int]
    classes: pd.DataFrame


def promote(layout: Layout, settings: ClassSizeSettings) -> PromotionSummary:
    """Make `data/raw` and `promoted_images` agree with `reviewed_images`.

    Args:
        layout: the data directory.
        settings: meters that a class needs to be learned.

    Raises:
        MeterError: the decisions were never taken in.
        StorageError: the disk is full or not ours to write; run again, it goes on.
    """
    lake = layout.lake
    if not lake.exists(REVIEWED_IMAGES):
        raise MeterError(
            "What people decided was not taken in yet.", where=REVIEWED_IMAGES.name, fix="Run reviewed_images first."
        )
    own = own_files(lake.frame(PROMOTED_IMAGES))
    settled, around = plan(layout, lake.frame(REVIEWED_IMAGES), own)
    rows = _rows(settled, around, settings)
    to_copy = {s.path: s.photo.image_id for s in settled if s.path is not None and s.is_to_copy}
    kept = {s.path for s in settled if s.path is not None and s.is_own_file}
    _remove_half_written(layout.raw, kept | set(own.values()))
    removed = _take_out(layout, {image_id: path for image_id, path in own.items() if path not in kept})
    lake.replace(PROMOTED_IMAGES, rows)
    for path, image_id in to_copy.items():
        _copy(layout.image(image_id), layout.raw / path)
    counts = Counter(s.status for s in settled)
    _logger.info(
        "Promoted: %s in data/raw, %d put there now, %d taken out now; %s",
        counted(counts[Promotion.PROMOTED], "photo"),
        len(to_copy),
        removed,
        ", ".join(f"{counts[status]} {status}" for status in Promotion if status != Promotion.PROMOTED),
    )
    return PromotionSummary(len(to_copy), removed, {status: counts[status] for status in Promotion}, _classes(rows))


def waiting_classes(promoted: pd.DataFrame) -> list[WaitingClass]:
    """Return the classes whose promoted photos show too few meters to be learned, by name.

    Args:
        promoted: rows of `tables.PROMOTED_IMAGES`.
    """
    return [
        WaitingClass(row["class"], int(row["photos"]), int(row["meters"]), int(row["needed"]))
        for row in _classes(promoted).to_dict("records")
        if row["waits"]
    ]


def promotion_problems(layout: Layout) -> list[str]:
    """Return which named photos are not in the data set and why, and which promoted files were changed by hand.

    One sentence per class and reason.
    """
    promoted = layout.lake.frame(PROMOTED_IMAGES)
    files = LabelledFiles(layout.raw, layout.lake.frame(IMAGE_INVENTORY))
    return [*_not_promoted(promoted), *_gone(promoted, files), *_changed(promoted, files)]


def _rows(settled: Sequence[Settled], around: Surroundings, settings: ClassSizeSettings) -> pd.DataFrame:
    """Return the rows of `tables.PROMOTED_IMAGES`."""
    meters = _same_meter(settled, around.layout)
    in_class: dict[str, set[str]] = defaultdict(set)
    for s in settled:
        if s.status == Promotion.PROMOTED:
            in_class[s.photo.label].add(meters[s.photo.image_id])
    learned = classes_learned_anyway(settled, around)
    rows = []
    for s in settled:
        is_in, waits_for = s.status == Promotion.PROMOTED, class_key(s.photo.label) not in learned
        rows.append(
            {
                "image_id": s.photo.image_id,
                "label": s.photo.label,
                "decision_id": s.photo.decision_id,
                "status": s.status.value,
                "path": s.path,
                "reason": s.reason,
                "same_meter": meters.get(s.photo.image_id),
                "perceptual_hash": s.hash,
                "class_meters": len(in_class[s.photo.label]) if is_in else None,
                "class_meters_needed": settings.class_from_meters if is_in and waits_for else None,
            }
        )
    return pd.DataFrame(rows, columns=list(PROMOTED_IMAGES.columns)).astype(object)


def _same_meter(settled: Sequence[Settled], layout: Layout) -> dict[str, str]:
    """Return the meter that each promoted photo shows: near-duplicates, and what `groups.csv` says, class by class."""
    of_class: dict[str, list[Settled]] = defaultdict(list)
    for s in settled:
        if s.status == Promotion.PROMOTED:
            of_class[s.photo.label].append(s)
    declared = _declared(settled, layout)
    meters: dict[str, str] = {}
    for label, photos in of_class.items():
        image_ids = [s.photo.image_id for s in photos]
        groups = group_photos(image_ids, [s.hash or "" for s in photos], scope=label, declared=declared)
        meters.update(zip(image_ids, groups, strict=True))
    return meters


def _declared(settled: Sequence[Settled], layout: Layout) -> dict[str, str]:
    rows = [{"path": s.path, "image_id": s.photo.image_id} for s in settled if s.path is not None]
    try:
        return read_groups(layout.raw / GROUPS_FILE, rows)
    except DataSetError as error:
        _logger.warning(
            "Meters are counted without the groups file: %s", error
        )  # it stops the inventory, not decisions
        return {}


def _remove_half_written(raw: Path, paths: Iterable[str]) -> None:
    """Remove what a killed copy left in the folders of these files."""
    for folder in sorted({raw / path.partition("/")[0] for path in paths}):
        for leftover in sorted(folder.glob(f"{TEMPORARY_PREFIX}*")):
            if _HALF_WRITTEN.fullmatch(leftover.name):
                with storage_errors(leftover):
                    leftover.unlink(missing_ok=True)


def _take_out(layout: Layout, files: Mapping[str, str]) -> int:
    """Take promoted files out of data/raw, and folders that are empty then; return how many files.

    A file that was changed is left. One that is not in the store (any more) goes back there, so that the undo can be
    undone.
    """
    removed = 0
    for image_id, path in sorted(files.items(), key=lambda item: item[1]):
        file = layout.raw / path
        with storage_errors(file):
            if file.is_symlink() or not file.is_file():
                continue
            if sha256_of(file) != image_id:
                _logger.warning("%s was changed since it was promoted: it is left where it is.", file)
                continue
            if not layout.image(image_id).exists():
                _copy(file, layout.image(image_id))
            file.unlink()
            removed += 1
    for folder in sorted({layout.raw / path.partition("/")[0] for path in files.values()}):
        with storage_errors(folder):
            if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                folder.rmdir()
    return removed


def _copy(source: Path, target: Path) -> None:
    """Copy a file byte for byte, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _classes(promoted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per class with promoted photos: class, photos, meters, needed, waits."""
    rows = []
    for label, photos in promoted[promoted["status"] == Promotion.PROMOTED].groupby("label", sort=True):
        meters, needed = int(photos["class_meters"].iloc[0]), photos["class_meters_needed"].iloc[0]
        needed = None if pd.isna(needed) else int(needed)
        rows.append((label, len(photos), meters, needed, needed is not None and meters < needed))
    columns = ["class", "photos", "meters", "needed", "waits"]
    return pd.DataFrame(rows, columns=columns).astype({"needed": "Int64", "waits": bool})


def _not_promoted(promoted: pd.DataFrame) -> Iterator[str]:
    rest = promoted[promoted["status"] != Promotion.PROMOTED].sort_values("image_id")
    for (status, label, reason), photos in rest.groupby(["status", "label", "reason"], sort=True):
        shown = ", ".join(image_id[:12] for image_id in photos["image_id"][:PHOTOS_SHOWN])
        more = f" and {len(photos) - PHOTOS_SHOWN} more" if len(photos) > PHOTOS_SHOWN else ""
        yield f"{label}, {status}: {shown}{more}. {reason}"


def _gone(promoted: pd.DataFrame, files: LabelledFiles) -> Iterator[str]:
    rows = promoted[promoted["status"] == Promotion.PROMOTED]
    for path in sorted(rows["path"]):
        if path not in files:
            yield f"{path} is not there: it comes back with the next update; to take it out, undo the decision."


def _changed(promoted: pd.DataFrame, files: LabelledFiles) -> Iterator[str]:
    """Yield the files called as promotion calls them whose bytes are others, unless their photo is refused for that."""
    said = {promoted_name(image_id) for image_id in promoted.loc[promoted["status"] == Promotion.REFUSED, "image_id"]}
    for path in files.paths:
        name = path.partition("/")[2]
        digits = PROMOTED_NAME.fullmatch(name)
        if digits is None or name in said:
            continue
        image_id = files.image_id(path)
        if image_id is not None and not image_id.startswith(digits.group(1)):
            yield f"{path} was changed since it was promoted, and is left as it is: delete it, or give it another name."
