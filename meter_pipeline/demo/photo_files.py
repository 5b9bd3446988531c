"""Draws photos into files, in several processes; imports little, as each process imports it again."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meter_pipeline.demo.drawing.photo import Shot, draw_photo
from meter_pipeline.storage.files import write_bytes

_WORKERS_AT_MOST = 8
_PHOTOS_WORTH_A_POOL = 12
_PHOTOS_PER_TASK = 4
_SHARE_KEPT_BY_A_CUT = 0.4
_ERROR_PAGE = b"<!DOCTYPE html><html><body><h1>Sorry, the image store is being maintained.</h1></body></html>\n"


@dataclass(frozen=True)
class PhotoFile:
    """A file to write.

    Attributes:
        path: below the data directory, with forward slashes.
        shot: what it shows.
        damage: "cut" ends the file early, "page" puts an error page in its place.
    """

    path: str
    shot: Shot
    damage: Literal["", "cut", "page"] = ""


def draw_photo_files(
    data_dir: Path,
    photos: Sequence[PhotoFile],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the photos that do not exist yet.

    Args:
        data_dir: the data directory.
        photos: what is wanted.
        workers: processes; None: the machine's cores, at most 8.
        progress: called with (photos done, photos wanted), at the start and after each.
    """
    missing = [photo for photo in photos if not (data_dir / photo.path).exists()]
    done = len(photos) - len(missing)
    if progress:
        progress(done, len(photos))
    for _ in _drawn(data_dir, missing, workers or min(os.cpu_count() or 1, _WORKERS_AT_MOST)):
        done += 1
        if progress:
            progress(done, len(photos))


def _drawn(data_dir: Path, photos: Sequence[PhotoFile], workers: int) -> Iterable[None]:
    tasks = [(str(data_dir), photo) for photo in photos]
    if workers <= 1 or len(photos) < _PHOTOS_WORTH_A_POOL:
        yield from map(_draw, tasks)
        return
    # Spawned, as on Windows, so that it behaves the same everywhere and never forks a process with threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_draw, tasks, chunksize=_PHOTOS_PER_TASK)


def _draw(task: tuple[str, PhotoFile]) -> None:
    data_dir, photo = task
    content = _ERROR_PAGE if photo.damage == "page" else draw_photo(photo.shot)
    if photo.damage == "cut":
        content = content[: round(len(content) * _SHARE_KEPT_BY_A_CUT)]
    write_bytes(Path(data_dir) / photo.path, content)
