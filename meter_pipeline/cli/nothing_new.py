"""Whether an update has anything to do, told from names, sizes and times of files alone, before anything heavy loads.

An update that ended well notes what it saw. The next one looks at the same places; where all is as noted, it would do
nothing. What cannot be looked at is in doubt, and then the update runs. What files hold is not read here, manifests of
tables apart: that is what `meter verify` is for.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from meter_pipeline.defs.history_folder import home_of
from meter_pipeline.settings import GROUPS, DownloadSettings, PathSettings, Settings
from meter_pipeline.storage.files import TEMPORARY_PREFIX, sha256_of
from meter_pipeline.storage.layout import EXPORTS_NOTE, Layout
from meter_pipeline.storage.leftovers import TRAINING_PREFIX
from meter_pipeline.storage.manifests import MANIFEST, MANIFEST_COPY
from meter_pipeline.storage.notes import read_note, write_note

NOTE = "last_update.json"
"""In the cache: without it the next update looks at everything again."""
INPUTS = frozenset(
    {"drops", "decisions", "labelled photos", "tables of labelled photos", "models", "erasures", "settings", "program"}
)
"""Parts of a look that an update reads and does not write, labelled photos that it promotes apart."""
_TABLES_OF_LABELLED_PHOTOS = frozenset(
    {"image_inventory", "dataset_split", "evaluation_audit", "labelled_features", "known_embeddings"}
)
"""Tables that a training writes."""
_PASSED_OVER = frozenset({".lock", ".history.lock", "__pycache__"})
_CLOCK_STEP_S = 0.05
"""File systems write times in steps, 10 ms at most on Linux: what changes after a look that waited gets a later one."""

Look = Mapping[str, str]
"""By the name of a part of what an update depends on, a digest of how it is."""


class _InDoubtError(Exception):
    """Something is there that a look does not see through."""


@dataclass(frozen=True)
class LastUpdate:
    """What the last update that ended well noted.

    Attributes:
        ended: when it ended, in local time, as people read it.
        seen: what it saw.
    """

    ended: str
    seen: Look


def last_update(layout: Layout) -> LastUpdate | None:
    """Return what the last update noted; None if it did not end well, or its note is damaged."""
    note = read_note(layout.cache / NOTE, what_follows="The update looks at everything again.")
    try:
        return LastUpdate(str(note["ended"]), dict(note["seen"]))
    except (KeyError, TypeError, ValueError):
        return None


def look(layout: Layout, settings: Settings) -> Look | None:
    """Return how everything is that an update reads or owns; None if that cannot be told.

    Args:
        layout: the data directory.
        settings: the settings in force.
    """
    time.sleep(_CLOCK_STEP_S)
    lake = layout.lake.root
    try:
        return {
            "drops": _tree(layout.drops),
            "decisions": _tree(layout.decisions),
            "labelled photos": _tree(layout.raw),
            "tables of labelled photos": _digest(_tables(lake, _TABLES_OF_LABELLED_PHOTOS)),
            "models": _tree(layout.models),
            "erasures": _files(layout.erased, layout.erasing),
            "settings": _settings(settings),
            "program": _digest(_program()),
            "photos": _tree(layout.images),
            "tables": _digest(_tables(lake, _names(lake) - _TABLES_OF_LABELLED_PHOTOS)),
            "exports": _tree(layout.batch_reports),
            "cluster reports": _tree(layout.cluster_reports),
            "cluster folders": _tree(layout.clusters),
            "other files": _files(layout.warehouse, layout.clustering_state, layout.root / "made_from.json"),
            "history": _digest(_history(home_of(layout.root))),
        }
    except (OSError, _InDoubtError):
        return None


def note_update(layout: Layout, before: Look | None, after: Look | None) -> bool:
    """Note what an update that ended well saw, unless something came meanwhile that it may not have seen.

    Args:
        layout: the data directory.
        before: what there was when it began.
        after: what there is now that it has ended.

    Returns:
        Whether it was noted.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    if before is None or after is None or any(before[part] != after[part] for part in INPUTS):
        return False
    if _something_is_tried_again(layout) or not _exports_are_there(layout):
        return False
    ended = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    write_note(layout.cache / NOTE, {"ended": ended, "seen": dict(after)})
    return True


def forget_update(layout: Layout) -> None:
    """Take the note away: an update that is cut off leaves none."""
    (layout.cache / NOTE).unlink(missing_ok=True)


def _something_is_tried_again(layout: Layout) -> bool:
    """Return whether the next update would fetch a photo again, take one for found again, or read one once more.

    Photos come and go while an update runs, by its own hand too: so they are compared with what the tables say.
    """
    import pyarrow.compute as pc

    from meter_pipeline.photos.photo_files import passes
    from meter_pipeline.photos.store import stored_sizes
    from meter_pipeline.storage.tables import DROP_ROWS, IMAGE_FEATURES, URL_IMAGES

    lake, sizes = layout.lake, stored_sizes(layout)
    columns = ["image_url", "image_id", "bytes", "reason"]
    fetched = lake.read(URL_IMAGES, columns, where=pc.field("image_id").is_valid())
    entries = zip(*(fetched[name].to_pylist() for name in columns), strict=True)
    unlike = {url for url, image_id, size, reason in entries if (sizes.get(image_id) == size) != (reason is None)}
    if unlike and not unlike.isdisjoint(lake.read(DROP_ROWS, ["image_url"])["image_url"].to_pylist()):
        return True
    failed = lake.read(IMAGE_FEATURES, ["image_id", "reason"], where=pc.field("reason").is_valid())
    return any(
        passes(reason) and image_id in sizes
        for image_id, reason in zip(failed["image_id"].to_pylist(), failed["reason"].to_pylist(), strict=True)
    )


def _exports_are_there(layout: Layout) -> bool:
    """Return whether no export was taken away while the update went on."""
    folder = layout.batch_reports
    noted = read_note(folder / EXPORTS_NOTE, what_follows="The update looks at everything again.")
    there = _names(folder)
    return all(f"{drop}{ending}" in there for drop in noted for ending in (".csv", ".xlsx"))


def _tree(folder: Path) -> str:
    """Return a digest of the files below a folder: their paths, sizes and times."""
    return _digest(_lines(folder))


def _files(*paths: Path) -> str:
    return _digest(_line(path.name, path.lstat()) if path.exists() else f"no {path.name}" for path in paths)


def _settings(settings: Settings) -> str:
    reaching = (group for group in GROUPS if group.reaches or group in (DownloadSettings, PathSettings))
    return settings.digest(*{name for group in reaching for name in group.model_fields})


def _program() -> Iterator[str]:
    """Yield which program this is: its own files, and which packages of which versions it can import."""
    package = Path(__file__).resolve().parents[1]
    yield f"{package}\0{sys.version}"
    yield from _lines(package)
    for place in sorted({place for place in sys.path if place.endswith("-packages")}):
        yield from sorted(name for name in _names(Path(place)) if name.endswith((".dist-info", ".egg-info")))


def _history(home: Path) -> Iterator[str]:
    """Yield which history it is, and that it is there; what runs and sensors write into it does not matter."""
    yield str(home)
    for name in ("dagster.yaml", "data_dir.txt"):
        yield f"{name}\0{sha256_of(home / name) if (home / name).is_file() else None}"
    yield f"runs\0{(home / 'history' / 'runs.db').is_file()}"


def _tables(lake: Path, names: frozenset[str]) -> Iterator[str]:
    """Yield the files of tables, and the hashes of their manifests."""
    for name in sorted(names):
        yield from _lines(lake / name, f"{name}/")
        for manifest in (MANIFEST, MANIFEST_COPY):
            path = lake / name / manifest
            yield sha256_of(path) if path.exists() else f"no {manifest}"


def _names(folder: Path) -> frozenset[str]:
    """Return what lies in a folder; nothing where there is none."""
    if not folder.is_dir():
        return frozenset()
    with os.scandir(folder) as there:
        return frozenset(entry.name for entry in there)


def _lines(folder: Path | str, prefix: str = "") -> Iterator[str]:
    """Yield a line for each file below a folder; half-written files are nobody's yet.

    Raises:
        OSError: something cannot be looked at, or goes away meanwhile.
        _InDoubtError: there is a link to a folder.
    """
    try:
        with os.scandir(folder) as there:
            entries = sorted(there, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        name = entry.name
        if name.startswith((TEMPORARY_PREFIX, TRAINING_PREFIX)) or name in _PASSED_OVER:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _lines(entry.path, f"{prefix}{name}/")
            continue
        if entry.is_symlink():
            if entry.is_dir():
                raise _InDoubtError(entry.path)
            yield f"link\0{_line(prefix + name, entry.stat())}"
        # Windows leaves size and time out of the listing of a file that is open; stat asks for them again.
        yield _line(prefix + name, os.lstat(entry.path) if os.name == "nt" else entry.stat(follow_symlinks=False))


def _line(path: str, state: os.stat_result) -> str:
    """Return what changes when a file does; its rights make another `st_ctime_ns`."""
    return f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}"


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]
