"""Labelled photos that changed though nobody wrote them, or that were cut and cannot be decoded any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.photos.decoding import PhotoError, open_photo
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.sound_rows import sound_rows
from meter_pipeline.storage.tables import IMAGE_INVENTORY


@dataclass(frozen=True)
class DamagedFile:
    """A labelled photo that is damaged.

    Attributes:
        path: its file.
        image_id: the photo that it was.
        problem: what is wrong with it, as the end of a sentence.
    """

    path: Path
    image_id: str
    problem: str


def damaged_files(layout: Layout, *, on_look: Callable[[], None] | None = None) -> Iterator[DamagedFile]:
    """Yield the used files of the last inventory that are damaged. A file that a person took away or replaced is not.

    Args:
        layout: the data directory.
        on_look: called for each file that is looked at.
    """
    for row in _used(layout):
        path = layout.raw / str(row["path"])
        try:
            status = path.stat()
        except OSError:
            continue
        if on_look is not None:
            on_look()
        as_it_was = (status.st_size, status.st_mtime_ns) == (row["bytes"], row["modified_ns"])
        problem = _changed_by_nobody(path, str(row["image_id"])) if as_it_was else _not_a_photo(path)
        if problem:
            yield DamagedFile(path, str(row["image_id"]), problem)


def known_places(layout: Layout) -> dict[str, Path]:
    """Return where each labelled photo lies, by image_id."""
    return {str(row["image_id"]): layout.raw / str(row["path"]) for row in _used(layout)}


def _used(layout: Layout) -> list[dict[str, object]]:
    columns = ["path", "image_id", "bytes", "modified_ns", "reason"]
    rows: list[dict[str, object]] = sound_rows(layout.lake, IMAGE_INVENTORY).select(columns).to_pylist()
    return [row for row in rows if row["reason"] is None and row["image_id"] is not None]


def _changed_by_nobody(path: Path, image_id: str) -> str | None:
    try:
        same = sha256_of(path) == image_id
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None if same else "does not hold what the inventory read, though its size and time are the same"


def _not_a_photo(path: Path) -> str | None:
    """Return why a file that was written since cannot be decoded; None if it can: a person replaced it."""
    try:
        open_photo(path.read_bytes())
    except PhotoError as error:
        return f"cannot be decoded any more: {error.reason.rstrip('.')}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None
