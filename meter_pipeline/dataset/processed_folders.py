"""`data/processed/{train,val,test}/<CLASS>/`: the split as folders that people can browse.

The files are hard links to those in `data/raw` (no space, no time), or copies where the disk has no links. A link is
the same file: editing one in place edits the photo in raw. Nothing reads these folders; files that were put into them
by hand are left alone, with a warning in the log.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from meter_pipeline.dataset.dataset_split import SPLITS
from meter_pipeline.errors import DataSetError, MeterError, storage_errors
from meter_pipeline.labels import class_key
from meter_pipeline.storage.files import TEMPORARY_PREFIX, replacing, safe_name
from meter_pipeline.storage.private_folders import make_private

_ID_DIGITS = 12
_OUR_NAME = re.compile(rf".+-[0-9a-f]{{{_ID_DIGITS}}}(\.\w+)?")

_logger = logging.getLogger(__name__)


def write_processed(split: pd.DataFrame, raw: Path, processed: Path) -> None:
    """Make the folders agree with `split`; only what changed is touched.

    A file is called `<its name>-<start of its image_id>`, so that photos of one name in two sub-folders stay apart and
    a photo that was replaced is seen to be another. Folders of data/raw that are one class are one folder here.

    Args:
        split: rows of `tables.DATASET_SPLIT`.
        raw: `data/raw`.
        processed: `data/processed`.

    Raises:
        DataSetError: a photo of the split is no longer in `raw`.
        MeterError: a name in `split` leads out of its folder, or one of the folders is a link.
        StorageError: the disk is full or not ours to write.
    """
    wanted = _wanted(split, raw)
    for name in SPLITS:
        if (processed / name).is_symlink():
            raise MeterError("This folder is a link.", where=processed / name, fix="Remove it; it is made again.")
    linked = copied = removed = foreign = 0
    present = set()
    for path in sorted(_files(processed)):
        relative = path.relative_to(processed).as_posix()
        source = wanted.get(relative)
        if source is not None and not path.is_symlink() and _same_size(source, path):
            present.add(relative)
        elif _OUR_NAME.fullmatch(path.name) or path.name.startswith(TEMPORARY_PREFIX):
            with storage_errors(path):
                path.unlink()
            removed += 1
        else:
            foreign += 1
    for relative in sorted(wanted.keys() - present):
        if _link_or_copy(wanted[relative], processed / relative):
            linked += 1
        else:
            copied += 1
    _remove_empty_folders(processed)
    _logger.info("Processed folders: %d linked, %d copied, %d removed, %d kept", linked, copied, removed, len(present))
    if foreign:
        _logger.warning(
            "%d files in %s are not the pipeline's; photos to learn from belong into %s", foreign, processed, raw
        )


def _wanted(split: pd.DataFrame, raw: Path) -> dict[str, Path]:
    """Return the files that there should be: path below `processed` to the file in `raw`."""
    wanted = {}
    for image_id, path, label, name in zip(
        split["image_id"], split["path"], split["label"], split["split"], strict=True
    ):
        inside = PurePosixPath(path)
        if not _stays_inside(inside, label) or name not in SPLITS:
            raise MeterError("This row of the split leads out of its folder.", where=f"{name}: {path}")
        file_name = f"{safe_name(inside.stem, fallback='photo')}-{image_id[:_ID_DIGITS]}{inside.suffix.lower()}"
        wanted[f"{name}/{label}/{file_name}"] = raw / inside
    return wanted


def _stays_inside(path: PurePosixPath, label: str) -> bool:
    """Return whether a path below data/raw, and the folder of its class, lead nowhere else."""
    if path.is_absolute() or ".." in path.parts or PurePosixPath(label).parts != (label,) or label == "..":
        return False
    return class_key(path.parts[0]) == class_key(label)


def _files(processed: Path) -> Iterator[Path]:
    """Yield everything in the split folders that is not a folder; links are not followed."""
    for name in SPLITS:
        for folder, folders, files in os.walk(processed / name, followlinks=False):
            links = [entry for entry in folders if (Path(folder) / entry).is_symlink()]
            yield from (Path(folder) / entry for entry in files + links)


def _same_size(source: Path, path: Path) -> bool:
    try:
        return source.stat().st_size == path.stat().st_size
    except FileNotFoundError:
        return False


def _link_or_copy(source: Path, target: Path) -> bool:
    """Return whether a link could be made; otherwise a copy was made.

    Raises:
        DataSetError: the source is gone.
    """
    with storage_errors(target.parent):
        make_private(target.parent)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise DataSetError(
            "A labelled photo was removed after the inventory.",
            where=source,
            fix="Materialize image_inventory again.",
        ) from error
    except OSError:  # another disk, a file system without links, too many links: a copy will do
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
        return False
    return True


def _remove_empty_folders(processed: Path) -> None:
    for name in SPLITS:
        for folder, _, _ in os.walk(processed / name, topdown=False, followlinks=False):
            if not any(Path(folder).iterdir()) and Path(folder) != processed / name:
                Path(folder).rmdir()
