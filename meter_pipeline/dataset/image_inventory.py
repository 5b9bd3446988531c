"""The inventory of `data/raw/<CLASS>/`: a row a file, what it is and how good it is, or why it was refused.

The class of a photo is the first folder below `data/raw`; folders below that are the owner's own order (by date, by
site) and mean nothing here. Which files there are is in `labelled_folder`, which photos belong together in
`near_duplicates`, which are trained on in `split`.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from meter_pipeline.dataset.labelled_folder import GROUPS_FILE, ListedFile, list_files, listing_digest
from meter_pipeline.errors import DataSetError
from meter_pipeline.labels import FinalLabel
from meter_pipeline.photos.decoding import PhotoError, open_photo, refusal_of_foreign, sniff
from meter_pipeline.photos.near_duplicates import HASH_KIND, group_photos, perceptual_hash
from meter_pipeline.photos.quality import measure
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.lake import conform
from meter_pipeline.storage.tables import IMAGE_INVENTORY

LABELLED_FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP", "BMP"})
"""MPO is what some phones write as .jpg."""
MAX_FILE_BYTES = 200_000_000
RESERVED_CLASSES = frozenset(FinalLabel)
"""What the pipeline itself answers; a class of that name could not be told from it."""
_MAX_THREADS = 8
_FILES_A_STEP = 500
"""Files between two lines in the log and two notes in the journal."""
_HEAD_BYTES = 256

__all__ = ["listing_digest", "read_groups", "take_inventory"]

log = logging.getLogger(__name__)
Row = dict[str, Any]


def take_inventory(
    raw: Path, previous: pd.DataFrame, groups_csv: Path | None = None, *, journal: Path | None = None
) -> pd.DataFrame:
    """Look at every labelled file and return the rows of `tables.IMAGE_INVENTORY`, sorted by path.

    A file that has the size and time it had in `previous` is not opened again. A photo that lies in two classes is
    refused in both; one that lies twice in a class is used once.

    Args:
        raw: `data/raw`.
        previous: the last inventory; empty the first time, or after what is measured has changed.
        groups_csv: which photos show one physical meter (see `read_groups`); `groups.csv` in `raw` where None.
        journal: where a long look is noted down as it goes, so that one that was cut off is continued; removed at
            the end.

    Raises:
        DataSetError: there is no file at all, or the groups file cannot be understood.
    """
    files = [file for file in list_files(raw) if file.path != GROUPS_FILE]
    if not files:
        raise DataSetError(
            "There are no labelled photos.",
            where=raw,
            fix="Make a folder a meter type there and put its photos into it.",
        )
    known = _reusable(previous)
    if journal is not None and journal.exists():
        known |= _reusable(pd.read_parquet(journal))
    rows, fresh = [], []
    for file in files:
        old = known.get(file.path)
        if old is not None and (old["bytes"], old["modified_ns"]) == (file.bytes, file.modified_ns):
            rows.append(old)
        else:
            fresh.append(file)
    rows += _examine_all(raw, fresh, journal)
    rows.sort(key=lambda row: row["path"])
    _refuse_copies(rows)
    declared = read_groups(groups_csv or raw / GROUPS_FILE, rows)
    _assign_groups(rows, previous, declared)
    refused = sum(row["reason"] is not None for row in rows)
    log.info("Inventory: %d files, %d looked at anew, %d refused", len(rows), len(fresh), refused)
    if journal is not None:
        journal.unlink(missing_ok=True)
    return _frame(rows)


def read_groups(path: Path, rows: list[Row]) -> dict[str, str]:
    """Read which photos show one physical meter.

    The file has the column `group` and one of `path` (below data/raw, `<CLASS>/<file>`), `image_id` or `file` (the name
    alone, which then means every photo of that name). A line about a photo that is not there does no harm.

    Args:
        path: the CSV file; where it is not there, nothing is declared.
        rows: the inventory's rows, for finding photos by path and name.

    Returns:
        image_id to group.

    Raises:
        DataSetError: the file is not a CSV file in UTF-8 with these columns.
    """
    fix = "It needs the columns `path` (or `image_id`, or `file`) and `group`, separated by commas, in UTF-8."
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            fields = [field.strip().lower() for field in reader.fieldnames or []]
            reader.fieldnames = fields
            lines = list(reader)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"The groups of photos cannot be read: {error}.", where=path, fix=fix) from error
    by = next((column for column in ("path", "image_id", "file") if column in fields), None)
    if by is None or "group" not in fields:
        raise DataSetError(f"The groups of photos have the columns {fields}.", where=path, fix=fix)
    photos: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["image_id"] is not None:
            keys = {"path": row["path"], "image_id": row["image_id"], "file": row["path"].rpartition("/")[2]}
            photos[keys[by]].append(row["image_id"])
    declared: dict[str, str] = {}
    for line in lines:
        group = (line["group"] or "").strip()
        key = (line[by] or "").strip().replace("\\", "/")
        if group:
            declared.update(dict.fromkeys(photos.get(key, []), group))
    log.info("Groups of photos: %d of %d lines name a photo", len(declared), len(lines))
    return declared


def _reusable(previous: pd.DataFrame) -> dict[str, Row]:
    """Former rows whose bytes were read, as plain values; what depended on other files (copies, groups) is left out."""
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


def _examine_all(raw: Path, files: list[ListedFile], journal: Path | None) -> list[Row]:
    rows: list[Row] = []
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="inventory") as pool:
        for start in range(0, len(files), _FILES_A_STEP):
            rows += pool.map(lambda file: _examine(raw, file), files[start : start + _FILES_A_STEP])
            if len(rows) < len(files):
                log.info("Looked at %d of %d new files", len(rows), len(files))
                if journal is not None:
                    with replacing(journal) as temporary:
                        pq.write_table(conform(IMAGE_INVENTORY, _frame(rows)), temporary)
    return rows


def _frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(IMAGE_INVENTORY.columns))


def _examine(raw: Path, file: ListedFile) -> Row:
    """One file's row, as far as the file alone tells; groups and copies come later."""
    label, is_below, _ = file.path.partition("/")
    row: Row = dict.fromkeys(IMAGE_INVENTORY.columns)
    row.update(path=_text(file.path), label=_text(label) if is_below else None)
    row.update(bytes=file.bytes, modified_ns=file.modified_ns)
    try:
        if row["path"] != file.path:
            raise PhotoError("bad_name", "The name of the file or folder is no valid text; rename it.")
        if file.is_link:
            raise PhotoError("link", "This is a link; put the photo or the folder itself here.")
        if not is_below:
            raise PhotoError("no_class", "The file is in no class; move it into the folder of its meter type.")
        if label.upper() in RESERVED_CLASSES:
            raise PhotoError(
                "reserved_class", f"{label} is what the pipeline answers and no meter type; rename the folder."
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
    """The name, with bytes that are no text (Linux allows them in names) written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _read(path: Path, size: int) -> bytes:
    """The bytes of a file that begins like a labelled photo; others are not read to their end.

    Raises:
        PhotoError: it is none, or cannot be read.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
            promised = sniff(head)
            if promised is None:
                raise refusal_of_foreign(head)
            if promised not in LABELLED_FORMATS:
                raise PhotoError(
                    "unsupported_format", f"{promised} is not taken as a labelled photo; save it as JPEG or PNG."
                )
            if size > MAX_FILE_BYTES:
                raise PhotoError("too_large", f"The file has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read.")
            return head + handle.read()
    except OSError as error:
        raise PhotoError("unreadable", f"The file cannot be read: {error.strerror or error}.") from error


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
        former[label][image_id] = group
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["reason"] is None:
            by_class[row["label"]].append(row)
    for label, photos in by_class.items():
        groups = group_photos(
            [row["image_id"] for row in photos],
            [row["perceptual_hash"] for row in photos],
            scope=label,
            previous=former[label],
            declared=declared,
        )
        for row, group in zip(photos, groups, strict=True):
            row["group_id"] = group
