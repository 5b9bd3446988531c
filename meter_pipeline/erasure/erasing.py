"""The erasure itself: steps that may end anywhere and be run again, to the same end.

From the first step to the last a file, `Layout.erasing`, says what is being erased, so that the next erasure first
carries on one that was cut off. What tells what goes (the drops' rows) goes last, so that the rest is found again.
Whoever calls this holds every lock of the data directory.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from meter_pipeline.batches import prediction_exports
from meter_pipeline.discovery.folder_manifest import manifest_path, read_manifest, write_manifest
from meter_pipeline.erasure.look import (
    Found,
    look,
    places_of,
    predictions,
    rows_of_photos,
)
from meter_pipeline.erasure.tables_of_photos import OF_LABELLED_PHOTOS, OF_PHOTOS
from meter_pipeline.erasure.target import Kind, Target
from meter_pipeline.errors import MeterError, storage_errors
from meter_pipeline.ingest.drop_rows import row_counts
from meter_pipeline.ingest.erased_rows import ErasedRows, without_rows
from meter_pipeline.labels import class_key
from meter_pipeline.storage.files import TEMPORARY_PREFIX, write_text
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.masking import forms_in_messages
from meter_pipeline.storage.notes import note_problem, read_note, write_note
from meter_pipeline.storage.sealed_json import read_sealed, write_sealed
from meter_pipeline.storage.tables import (
    ALL_TABLES,
    BATCH_PREDICTIONS,
    CLUSTER_SUMMARY,
    DROP_ROWS,
    DROPS,
    UNKNOWN_CLUSTERS,
    UNKNOWN_METADATA,
    URL_IMAGES,
    TableSpec,
)

_logger = logging.getLogger(__name__)

SHORTEST_IN_LOGS = 3
"""Characters of a text that lines of logs go for; a shorter one is in nearly every line."""
_END_OF_URL = r"(?![\w/?&=#%+~\-]|[.,:;]\w)"


def erase(layout: Layout, found: Found) -> None:
    """Take away what was found, for good, and write anew what people open.

    Raises:
        StorageError: the disk is full or not ours to write; run again, it goes on.
        DamagedTableError: a table is damaged.
    """
    for step in STEPS:
        step(layout, found)


def resume(layout: Layout) -> Target | None:
    """Carry on an erasure that was cut off, to its end; return what it was of, None if there was none.

    Raises:
        MeterError: what it was of cannot be read any more.
    """
    if not layout.erasing.exists():
        return None
    try:
        noted = read_sealed(layout.erasing)
        target = Target(Kind(noted.pop("kind")), **noted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeterError(
            "An erasure was cut off, and the note of what it was of is damaged.",
            where=layout.erasing,
            fix="Delete that file, and run the same `meter erase` again.",
        ) from error
    erase(layout, look(layout, target))
    return target


def _begin(layout: Layout, found: Found) -> None:
    write_sealed(layout.erasing, asdict(found.target))
    erased = found.target.remembered(ErasedRows.read(layout))
    if found.photos:
        erased = erased.with_photos(found.photos)
    if erased.key:
        erased.write(layout)


def _remove_files(layout: Layout, found: Found) -> None:
    for paths in found.files.values():
        for path in paths:
            _remove(layout, path)
    _forget_in_notes(layout, found)


def _remove_rows_of_photos(layout: Layout, found: Found) -> None:
    for spec in (*OF_PHOTOS, *OF_LABELLED_PHOTOS):
        _remove_rows(layout, spec, partial(rows_of_photos, spec, found=found))
    _remove_rows(layout, URL_IMAGES, partial(rows_of_photos, URL_IMAGES, found=found))


def _remove_predictions(layout: Layout, found: Found) -> None:
    rows = layout.lake.read(DROP_ROWS)
    places = places_of(rows, found.target.among(rows))
    _remove_rows(layout, BATCH_PREDICTIONS, partial(predictions, found, places))
    _name_other_urls(layout, found)
    _correct_summary(layout)


def _remove_log_lines(layout: Layout, found: Found) -> None:
    named = _named_in_logs(found)
    logs = [path for path in sorted(layout.failure_log.parent.glob("*")) if path.is_file()]
    for log in logs if named else ():
        with storage_errors(log):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        left = [
            line
            for line in lines
            if not any(word in (key := class_key(line)) and pattern.search(key) for word, pattern in named.items())
        ]
        if len(left) < len(lines):
            write_text(log, "".join(left))


def _named_in_logs(found: Found) -> dict[str, re.Pattern[str]]:
    """Return what tells a line of a log that goes: a word that is in it, and how it stands there; by `class_key`."""
    target = found.target
    words = {target.value, target.file_name} if target.kind in (Kind.DROP, Kind.COLUMN) else set()
    named = {class_key(form): r"(?!\w)" for word in words for form in forms_in_messages(word)}
    # A URL in its masked form may be that of several; the line goes all the same.
    named |= {class_key(form): _END_OF_URL for url in found.urls for form in forms_in_messages(url)}
    return {
        word: re.compile(rf"(?<!\w){re.escape(word)}{end}")
        for word, end in named.items()
        if len(word) >= SHORTEST_IN_LOGS
    }


def _remove_drop_rows(layout: Layout, found: Found) -> None:
    lake, target = layout.lake, found.target
    rows = lake.read(DROP_ROWS)
    gone = target.among(rows)
    if gone.any():
        lake.replace(DROP_ROWS, without_rows(rows, gone))
    if target.kind == Kind.DROP:
        _remove_rows(layout, DROPS, lambda table: _equal(table["drop"], target.value))
    _count_drops(layout)


def _count_drops(layout: Layout) -> None:
    """Have `drops` say how many rows are left of each drop."""
    lake = layout.lake
    drops, rows = lake.frame(DROPS), lake.read(DROP_ROWS, ["drop", "reason"])
    reasons = rows["reason"]
    of_drop = pd.Series(rows["drop"].to_pylist(), dtype=object).groupby(rows["drop"].to_pylist()).indices
    counts = [
        row_counts(pa.table({"reason": reasons.take(pa.array(of_drop.get(d, []), pa.int64()))})) for d in drops["drop"]
    ]
    new = drops.assign(**{name: [count[name] for count in counts] for name in ("rows", "refused_rows")})
    if not new.astype(object).equals(drops.astype(object)):
        lake.replace(DROPS, new)


def _clean_up(layout: Layout, _: Found) -> None:
    """Remove what was replaced in the tables, and what was noted or half-written of the photos that were there."""
    for spec in ALL_TABLES:
        layout.lake.drop_replaced(spec)
    for path in (layout.clustering_state, layout.inventory_journal):
        _unlink(path)
    for folder in (layout.images, layout.batch_reports, layout.clusters, layout.cluster_reports, layout.cache):
        for path in folder.rglob(f"{TEMPORARY_PREFIX}*") if folder.is_dir() else ():
            if path.is_file():  # every lock is held: nobody writes these any more
                _unlink(path)


def _write_anew(layout: Layout, _: Found) -> None:
    """Write exports and cluster folders from the tables as they are now, then say that all is done."""
    if layout.lake.count(BATCH_PREDICTIONS) or layout.lake.count(DROPS):
        prediction_exports.export_drops(layout)
    if layout.clusters.is_dir():
        from meter_pipeline.discovery.cluster_folders import write_cluster_folders

        write_cluster_folders(layout)
    _unlink(layout.erasing)


STEPS: tuple[Callable[[Layout, Found], None], ...] = (
    _begin,
    _remove_files,
    _remove_rows_of_photos,
    _remove_predictions,
    _remove_log_lines,
    _remove_drop_rows,
    _clean_up,
    _write_anew,
)


def _remove_rows(layout: Layout, spec: TableSpec, gone: Callable[[pa.Table], np.ndarray]) -> None:
    if not layout.lake.count(spec):
        return
    table = layout.lake.read(spec)
    mask = gone(table)
    if mask.any():
        layout.lake.replace(spec, table.filter(pa.array(~mask)))
        _logger.info("%s: %d rows erased", spec.name, int(mask.sum()))


def _name_other_urls(layout: Layout, found: Found) -> None:
    """Where a photo stays and the URL that it is listed with goes, list it with one that is left."""
    lake = layout.lake
    metadata = lake.frame(UNKNOWN_METADATA)
    listed = metadata["image_url"].isin(found.urls)
    if not listed.any():
        return
    left = lake.frame(BATCH_PREDICTIONS, ["drop", "position", "image_url", "image_id"]).sort_values(
        ["drop", "position"]
    )
    first = left.drop_duplicates("image_id").set_index("image_id")["image_url"]
    metadata.loc[listed, "image_url"] = metadata.loc[listed, "image_id"].map(first)
    lake.replace(UNKNOWN_METADATA, metadata)


def _correct_summary(layout: Layout) -> None:
    """Have the summary of the clusters count the photos that are left; the next clustering makes the rest anew."""
    lake = layout.lake
    summary, clusters = lake.frame(CLUSTER_SUMMARY), lake.frame(UNKNOWN_CLUSTERS, ["image_id", "cluster_id"])
    counts = summary["cluster_id"].map(clusters["cluster_id"].value_counts()).fillna(0).astype("int64")
    lost = summary["representative"].notna() & ~summary["representative"].isin(clusters["image_id"])
    if (counts == summary["count"]).all() and not lost.any():
        return
    first = clusters.sort_values("image_id").drop_duplicates("cluster_id").set_index("cluster_id")["image_id"]
    summary["count"] = counts
    summary["meters"] = summary[["meters", "count"]].min(axis=1)
    summary.loc[lost, "representative"] = summary.loc[lost, "cluster_id"].map(first)
    lake.replace(CLUSTER_SUMMARY, summary[counts > 0])


def _forget_in_notes(layout: Layout, found: Found) -> None:
    """Take what goes out of the notes on written files."""
    path = layout.batch_reports / prediction_exports.MANIFEST
    if path.exists() and note_problem(path) is None:
        note = read_note(path, what_follows="")
        write_note(path, {drop: digest for drop, digest in note.items() if drop not in found.drops})
    # A damaged one is left as it is: whoever writes the folders anew finds again which files are ours.
    if manifest_path(layout).exists() and note_problem(manifest_path(layout)) is None:
        entries = read_manifest(layout)
        write_manifest(layout, {name: owner for name, owner in entries.items() if owner not in found.photos})


def _remove(layout: Layout, path: Path) -> None:
    """Remove a file, and its folder if that is empty then, but for the folders of the layout."""
    _unlink(path)
    kept = {layout.root, layout.raw, layout.drops, layout.batch_reports, layout.cluster_reports, layout.clusters}
    with suppress(OSError):  # not empty: what else is in it stays
        if path.parent not in kept:
            path.parent.rmdir()


def _unlink(path: Path) -> None:
    with storage_errors(path):
        path.unlink(missing_ok=True)


def _equal(column: pa.ChunkedArray, value: str) -> np.ndarray:
    return np.fromiter((each == value for each in column.to_pylist()), bool, len(column))
