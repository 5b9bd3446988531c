"""The store looked through as a whole: which files are not the photos that their names say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.photos.formats import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.photo_files import read_photo, stored_id
from meter_pipeline.photos.progress import Progress

PHOTOS_AHEAD = 16


@dataclass(frozen=True)
class DamagedPhoto:
    """A file of the store that is not what its name says.

    Attributes:
        path: the file.
        image_id: the photo that it should be.
        problem: what is wrong, as a sentence goes on: `is damaged: ...`.
    """

    path: Path
    image_id: str
    problem: str


def damaged_photos(images: Path, on_progress: Callable[[int, int], None] | None = None) -> Iterator[DamagedPhoto]:
    """Read every photo of the store and yield those that are damaged, in order of their names.

    Files whose names are no photo's are passed over: a person put them there, or a killed run left them half-written.

    Args:
        images: the store (`Layout.images`).
        on_progress: called now and then with how many photos were read, and of how many.
    """
    files = sorted(path for path in images.glob("??/*.jpg") if stored_id(path) is not None)
    progress = Progress(len(files), on_progress or (lambda _done, _total: None), at_end=True)
    for path, problem in zip(files, in_parallel(_problem, files, ahead=PHOTOS_AHEAD), strict=True):
        progress.advance()
        if problem is not None:
            yield DamagedPhoto(path, stored_id(path) or "", problem)


def _problem(path: Path) -> str | None:
    try:
        read_photo(path)
    except PhotoError as error:
        if error.outcome == "damaged":
            return "is damaged: its bytes are not those of its name"
        return f"cannot be read ({error.reason.rstrip('.')})"
    return None
