"""The inventory of `data/raw/<CLASS>/`: one row per file, what it is and how good it is, or why it was refused.

The class of a photo is the first folder below `data/raw` (`class_folders`); folders below that are the owner's own
order (by date, by site) and mean nothing here. Which files there are is in `labelled_folder`, which photos belong
together in `declared_groups` and `photos.near_duplicates`, which are trained on in `dataset_split`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from meter_pipeline.dataset.class_folders import class_labels, folder_of, is_reserved, log_merged
from meter_pipeline.dataset.declared_groups import read_groups
from meter_pipeline.dataset.labelled_folder import GROUPS_FILE, ListedFile, list_files
from meter_pipeline.dataset.promoted_files import declared_meters, own_files
from meter_pipeline.errors import DataSetError, MeterError
from meter_pipeline.labels import Origin, class_key
from meter_pipeline.photos.decoding import PhotoError, open_photo, refusal_of_foreign, sniff
from meter_pipeline.photos.near_duplicates import HASH_KIND, group_photos, perceptual_hash
from meter_pipeline.photos.quality import measure
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.table_rows import conform
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES

MAX_FILE_BYTES = 200_000_000
_MAX_THREADS = 8
FILES_PER_STEP = 500
"""Files between two lines in the log, and between two writes of the journal."""
_HEAD_BYTES = 256

_logger = logging.getLogger(__name__)
Row = dict[str, Any]


def take_inventory(
    raw: Path,
    previous: pd.DataFrame,
    *,
    promoted: pd.DataFrame | None = None,
    journal: Path | None = None,
    files_per_step: int = FILES_PER_STEP,
) -> pd.DataFrame:
    """Examine every labelled file and return the rows of `tables.IMAGE_INVENTORY`, sorted by path.

    A file that has the size and time it had in `previous` is not opened again. A photo that lies in two classes is
    refused in both; one that lies twice in a class is used once.

    Args:
        raw: `data/raw`.
        previous: the last inventory; empty the first time, or after what is measured has changed.
        promoted: rows of `tables.PROMOTED_IMAGES`: which files promotion put here, and which of them show one meter;
            what `groups.csv` says of a photo goes before that. None: no file was promoted.
        journal: file that the rows are saved to while a long inventory goes on, so that one that was interrupted is
            continued; removed at the end.
        files_per_step: files after which that is done.

    Raises:
        DataSetError: there is no file at all, or the groups file cannot be understood.
    """
    files = [file for file in list_files(raw) if file.path != GROUPS_FILE]
    if not files:
        raise DataSetError(
            "There are no labelled photos.",
            where=raw,
            fix="Make one folder per meter type there and put its photos into it.",
        )
    known = _reusable(previous)
    if journal is not None and journal.exists():
        known |= _reusable(_journalled(journal))
    rows, fresh = [], []
    for file in files:
        old = known.get(file.path)
        if old is not None and (old["bytes"], old["modified_ns"]) == (file.bytes, file.modified_ns):
            rows.append(old)
        else:
            fresh.append(file)
    rows += _examine_all(raw, fresh, journal, files_per_step)
    rows.sort(key=lambda row: row["path"])
    promoted = _no_promotions() if promoted is None else promoted
    _assign_labels(rows, previous)
    _assign_origins(rows, promoted)
    _refuse_copies(rows)
    _assign_groups(rows, previous, declared_meters(promoted) | read_groups(raw / GROUPS_FILE, rows))
    refused = sum(row["reason"] is not None for row in rows)
    _logger.info("Inventory: %d files, %d examined now, %d refused", len(rows), len(fresh), refused)
    if journal is not None:
        journal.unlink(missing_ok=True)
    return _frame(rows)


def _reusable(previous: pd.DataFrame) -> dict[str, Row]:
    """Return former rows whose bytes were read; what depended on other files (copies, groups) is left out."""
    rows: dict[str, Row] = {}
    for former in previous.astype(object).where(previous.notna(), None).to_dict("records"):
        row: Row = {str(name): value for name, value in former.items()}
        decoded = row["perceptual_hash"] is not None
        if row["image_id"] is None or (decoded and not row["perceptual_hash"].startswith(f"{HASH_KIND}:")):
            continue
        for name in ("bytes", "modified_ns", "width", "height"):
            row[name] = None if row[name] is None else int(row[name])
        row.update(group_id=None, reason=None if decoded else row["reason"])
        rows[row["path"]] = row
    return rows


def _journalled(journal: Path) -> pd.DataFrame:
    """Return what a killed inventory had examined; nothing if its journal is damaged: the files are examined again."""
    try:
        return conform(IMAGE_INVENTORY, pq.read_table(journal, page_checksum_verification=True)).to_pandas()
    except (OSError, pa.ArrowException, MeterError) as error:
        _logger.warning("%s is damaged (%s). All files are examined again.", journal, type(error).__name__)
        return _frame([])


def _examine_all(raw: Path, files: list[ListedFile], journal: Path | None, files_per_step: int) -> list[Row]:
    rows: list[Row] = []
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="inventory") as pool:
        for start in range(0, len(files), files_per_step):
            rows += pool.map(lambda file: _examine(raw, file), files[start : start + files_per_step])
            if len(rows) < len(files):
                _logger.info("Examined %d of %d new files", len(rows), len(files))
                if journal is not None:
                    with replacing(journal) as temporary:
                        pq.write_table(conform(IMAGE_INVENTORY, _frame(rows)), temporary, write_page_checksum=True)
    return rows


def _frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(IMAGE_INVENTORY.columns))


def _examine(raw: Path, file: ListedFile) -> Row:
    """Return a file's row, as far as the file alone tells; label, origin, copies and groups are added later."""
    folder = folder_of(file.path)
    row: Row = dict.fromkeys(IMAGE_INVENTORY.columns)
    row.update(path=_text(file.path), bytes=file.bytes, modified_ns=file.modified_ns)
    try:
        if row["path"] != file.path:
            raise PhotoError("bad_name", "The name of the file or folder is not valid text; rename it.")
        if file.is_link:
            raise PhotoError("link", "This is a link; put the photo or the folder itself here.")
        if folder is None:
            raise PhotoError("no_class", "The file is in no class; move it into the folder of its meter type.")
        if is_reserved(folder):
            raise PhotoError(
                "reserved_class", f"{folder} is an answer of the pipeline, not a meter type; rename the folder."
            )
        content = _read(raw / file.path, file.bytes)
        row["image_id"] = hashlib.sha256(content).hexdigest()
        photo = open_photo(content)
        row.update(width=photo.width, height=photo.height, format=photo.format, **asdict(measure(photo.image)))
        row["perceptual_hash"] = perceptual_hash(photo.image)
    except PhotoError as error:
        row["reason"] = error.reason
    return row


def _text(name: str) -> str:
    """Return the name, with bytes that are not text (Linux allows them in names) written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _read(path: Path, size: int) -> bytes:
    """Return the bytes of a file that begins like a photo; other files are not read to their end.

    Raises:
        PhotoError: it is not a photo, or cannot be read.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
            if sniff(head) is None:
                raise refusal_of_foreign(head)
            if size > MAX_FILE_BYTES:
                raise PhotoError("too_large", f"The file has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read.")
            return head + handle.read()
    except OSError as error:
        raise PhotoError("unreadable", f"The file cannot be read: {error.strerror or error}.") from error


def _no_promotions() -> pd.DataFrame:
    return pd.DataFrame(columns=list(PROMOTED_IMAGES.columns))


def _assign_labels(rows: list[Row], previous: pd.DataFrame) -> None:
    """Fill `label`, and say which folders are one class."""
    labels = class_labels((row["path"] for row in rows), previous["label"].dropna())
    log_merged(labels)
    for row in rows:
        folder = folder_of(row["path"])
        row["label"] = None if folder is None else labels[folder]


def _assign_origins(rows: list[Row], promoted: pd.DataFrame) -> None:
    """Fill `origin`; a promoted file whose bytes a person changed is that person's."""
    own = own_files(promoted)
    for row in rows:
        is_own = row["image_id"] is not None and own.get(row["image_id"]) == row["path"]
        row["origin"] = Origin.PROMOTED.value if is_own else Origin.FOLDER.value


def _refuse_copies(rows: list[Row]) -> None:
    """Refuse a photo that lies in two classes in both, and all but the first of one that lies twice in a class."""
    same_bytes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["reason"] is None:
            same_bytes[row["image_id"]].append(row)
    for copies in same_bytes.values():
        for row in copies[1:] if len({copy["label"] for copy in copies}) == 1 else copies:
            others = [copy["path"] for copy in copies if copy["label"] != row["label"]]
            if others:
                row["reason"] = (
                    f"The same photo is also in {', '.join(others)}: keep it in one class, delete the other."
                )
            else:
                row["reason"] = f"The same photo is already there as {copies[0]['path']}."


def _assign_groups(rows: list[Row], previous: pd.DataFrame, declared: dict[str, str]) -> None:
    """Fill `group_id` of the photos used."""
    former: dict[str, dict[str, str]] = defaultdict(dict)
    same_kind = previous["perceptual_hash"].astype(object).fillna("").str.startswith(f"{HASH_KIND}:")
    grouped = previous[same_kind & previous["group_id"].notna()]
    for image_id, label, group in zip(grouped["image_id"], grouped["label"], grouped["group_id"], strict=True):
        former[class_key(label)][image_id] = group
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["reason"] is None:
            by_class[row["label"]].append(row)
    for label, photos in by_class.items():
        groups = group_photos(
            [row["image_id"] for row in photos],
            [row["perceptual_hash"] for row in photos],
            scope=label,
            previous=former[class_key(label)],
            declared=declared,
        )
        for row, group in zip(photos, groups, strict=True):
            row["group_id"] = group
