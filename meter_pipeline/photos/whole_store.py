"""The store looked through as a whole: which files are not the photos that their names say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meter_pipeline.photos.formats import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.photo_files import read_photo, stored_id
from meter_pipeline.storage.read_errors import may_pass

PHOTOS_AHEAD = 16


@dataclass(frozen=True)
class DamagedPhoto:
    """A file of the store that is not what its name says.

    Attributes:
        path: the file.
        image_id: the photo that it should be.
        problem: what is wrong, as a sentence goes on: `is damaged: ...`.
        may_pass: it could not be read now, and may be sound.
    """

    path: Path
    image_id: str
    problem: str
    may_pass: bool = False


def damaged_photos(images: Path) -> Iterator[DamagedPhoto]:
    """Read every photo of the store and yield those that are damaged, in order of their names.

    Files whose names are no photo's are passed over: a person put them there, or a killed run left them half-written.

    Args:
        images: the store (`Layout.images`).
    """
    files = sorted(path for path in images.glob("??/*.jpg") if stored_id(path) is not None)
    yield from filter(None, in_parallel(_look_at, files, ahead=PHOTOS_AHEAD))


def _look_at(path: Path) -> DamagedPhoto | None:
    promised = stored_id(path) or ""
    try:
        read_photo(path)
    except PhotoError as error:
        if error.outcome == "damaged":
            return DamagedPhoto(path, promised, "is damaged: its bytes are not those of its name")
        cause = error.__cause__
        said = (cause.strerror if isinstance(cause, OSError) else None) or error.reason.rstrip(".")
        return DamagedPhoto(path, promised, f"cannot be read: {said}", may_pass=may_pass(path, cause))
    return None
