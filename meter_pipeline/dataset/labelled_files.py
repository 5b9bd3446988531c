"""Which photos the files of `data/raw` hold, by their bytes: read from the inventory where it is still right.

For whoever has to know where in `data/raw` a photo lies, before the inventory is taken again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from meter_pipeline.dataset.class_folders import folder_of, is_reserved
from meter_pipeline.dataset.labelled_folder import list_files
from meter_pipeline.dataset.promoted_files import promoted_name
from meter_pipeline.errors import storage_errors
from meter_pipeline.photos.decoding import sniff
from meter_pipeline.storage.files import sha256_of

_HEAD_BYTES = 256
_logger = logging.getLogger(__name__)


class LabelledFiles:
    """The files of `data/raw` as they are now.

    Args:
        raw: `data/raw`.
        inventory: rows of `tables.IMAGE_INVENTORY`; a file that changed since, or came, is read where it matters.
    """

    def __init__(self, raw: Path, inventory: pd.DataFrame) -> None:
        self._raw = raw
        with storage_errors(raw):
            self._files = {file.path: file for file in list_files(raw)}
        known = inventory[inventory["image_id"].notna()]
        self._ids: dict[str, str | None] = {}
        for path, image_id, size, modified in zip(
            known["path"], known["image_id"], known["bytes"], known["modified_ns"], strict=True
        ):
            file = self._files.get(path)
            if file is not None and (file.bytes, file.modified_ns) == (size, modified):
                self._ids[path] = image_id

    @property
    def paths(self) -> list[str]:
        """The files below data/raw, in order."""
        return list(self._files)

    def __contains__(self, path: str) -> bool:
        """Return whether there is such a file."""
        return path in self._files

    def image_id(self, path: str) -> str | None:
        """Return the SHA-256 of a file's bytes; None for a link, and for what cannot be read."""
        if path not in self._ids:
            self._ids[path] = None if self._files[path].is_link else _hash(self._raw / path)
        return self._ids[path]

    def where_lie(self, photos: Mapping[str, int | None]) -> dict[str, list[str]]:
        """Return where each photo lies in a class folder, in order of the paths; photos that lie nowhere are left out.

        Args:
            photos: image_id to the size of its file in bytes; None where that is not known. A file that the inventory
                does not know is read if it has such a size, or the name that promotion gives.
        """
        sizes = {size for size in photos.values() if size is not None}
        names = {promoted_name(image_id) for image_id in photos}
        places: dict[str, list[str]] = defaultdict(list)
        for path, file in self._files.items():
            folder = folder_of(path)
            if folder is None or is_reserved(folder):
                continue
            if path in self._ids or file.bytes in sizes or path.rpartition("/")[2] in names:
                image_id = self.image_id(path)
                if image_id is not None and image_id in photos:
                    places[image_id].append(path)
        return dict(places)

    def looks_like_photo(self, path: str) -> bool:
        """Return whether a file begins like a photo; for one that the inventory does not know."""
        if self._files[path].is_link:
            return False
        try:
            with (self._raw / path).open("rb") as handle:
                return sniff(handle.read(_HEAD_BYTES)) is not None
        except OSError:
            return False  # the inventory will say why


def _hash(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError as error:
        _logger.warning("%s cannot be read: %s", path, error.strerror or error)
        return None
