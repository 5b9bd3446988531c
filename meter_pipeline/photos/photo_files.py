"""The bytes of a photo's file; one in the store is checked against its name, which is the SHA-256 of its bytes.

Whoever opens a photo by its path comes here, so that a file that was cut, or in which a bit has turned, is nowhere
taken for the photo. It is read once: what is hashed is what is decoded.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from meter_pipeline.photos.formats import PhotoError
from meter_pipeline.storage.read_errors import may_pass

LOST = "The photo's file is lost from data/images; `meter update` fetches it again if its URL answers."
DAMAGED = (
    "The photo's file in data/images is damaged: its bytes are not those of its name. `meter update` fetches it again"
    " if its URL answers."
)
UNREADABLE = "The file cannot be read now"
"""How the reason begins where a file may be sound: a right that is missing, a program that holds it, the disk."""
STORE_FOLDER = "images"
"""As `Layout.images` calls it: a path alone does not know its data directory."""
_STORED_NAME = re.compile(r"([0-9a-f]{64})\.jpg")


def image_id_of(content: bytes) -> str:
    """Return the name of a photo: the SHA-256 of its bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def stored_id(path: Path) -> str | None:
    """Return the image_id that a path of the store promises; None for any other path (`Layout.image`)."""
    name = _STORED_NAME.fullmatch(path.name)
    if name is None or path.parent.name != name[1][:2] or path.parent.parent.name != STORE_FOLDER:
        return None
    return name[1]


def passes(reason: str | None) -> bool:
    """Return whether a reason that a photo cannot be used is one of its file, which may be there again tomorrow."""
    return reason in (LOST, DAMAGED) or (reason or "").startswith(UNREADABLE)


def read_photo(path: Path) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        PhotoError: it is lost or cannot be read, or lies in the store and is not what its name says.
    """
    promised = stored_id(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        is_lost = promised is not None and isinstance(error, FileNotFoundError)
        said = UNREADABLE if may_pass(path, error) else "The file cannot be read"
        reason = LOST if is_lost else f"{said}: {error.strerror or error}."
        raise PhotoError("unreadable", reason, where=path) from error
    if promised is not None and image_id_of(content) != promised:
        raise PhotoError("damaged", DAMAGED, where=path)
    return content
