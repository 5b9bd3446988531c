"""Pictures that so many URLs of a host gave that they may stand for "no image": noted in `url_images`.

Stores answer with one picture for all that they do not have. It is classified like every other, since it may as well be
one photo under many URLs: the note lets people see it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NOTE_SEPARATOR = "; "
ALIKE_NOTE = " gave the same picture: perhaps it stands for 'no image'"
ALIKE_URLS = 5
"""URLs of one host that give one picture, at the least, before that is noted."""
ALIKE_SHARE = 0.2
"""Share of the host's photos that it has to be as well ..."""
MANY_ALIKE_URLS = 50
"""... unless it is so many."""
COLUMNS = ("image_url", "image_id", "notes")
"""What is looked at."""

_HOST = r"^[^:/?#]+://(?P<host>[^/?#]*)"


def notes_of_alike(table: pa.Table) -> tuple[pa.Array | None, int]:
    """Return the column `notes` as it is to be, and the number of URLs whose picture is noted.

    Args:
        table: `url_images`, or its `COLUMNS`.

    Returns:
        The notes, None where those of the table are right already; and a number.
    """
    times, of_host = _counts(table)
    is_alike = (times >= ALIKE_URLS) & ((times >= MANY_ALIKE_URLS) | (times >= ALIKE_SHARE * of_host))
    notes = table["notes"].combine_chunks()
    was_alike = pc.fill_null(pc.match_substring(notes, ALIKE_NOTE), False).to_numpy(zero_copy_only=False)
    places = np.flatnonzero(is_alike | was_alike)
    before = notes.take(pa.array(places)).to_pylist()
    after = [
        _note(note, int(times[place]) if is_alike[place] else 0) for place, note in zip(places, before, strict=True)
    ]
    if after == before:
        return None, int(is_alike.sum())
    mask = np.zeros(len(notes), bool)
    mask[places] = True
    return pc.replace_with_mask(notes, pa.array(mask), pa.array(after, pa.string())), int(is_alike.sum())


def _counts(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row how many URLs of its host gave its picture, and how many gave any; 0 where none came."""
    has_photo = pc.is_valid(table["image_id"].combine_chunks()).to_numpy(zero_copy_only=False)
    times, of_host = np.zeros(table.num_rows, np.int64), np.zeros(table.num_rows, np.int64)
    if has_photo.any():
        some = table.select(["image_url", "image_id"]).filter(pa.array(has_photo))
        hosts = _codes(pc.struct_field(pc.extract_regex(some["image_url"], _HOST), "host"))
        pictures = _codes(some["image_id"])
        _, place, count = np.unique(hosts * (pictures.max() + 1) + pictures, return_inverse=True, return_counts=True)
        times[has_photo], of_host[has_photo] = count[place], np.bincount(hosts)[hosts]
    return times, of_host


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return a number for each value: the same for the same."""
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def _note(note: str | None, times: int) -> str | None:
    others = [part for part in (note or "").split(NOTE_SEPARATOR) if part and not part.endswith(ALIKE_NOTE)]
    if times:
        others.append(f"{times - 1:,} other URLs{ALIKE_NOTE}")
    return NOTE_SEPARATOR.join(others) or None
