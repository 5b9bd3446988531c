"""What drops are called: a name from the file, unlike all others, and kept where the table of names was lost."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

import pyarrow as pa

from meter_pipeline.storage.files import LARGEST_NAME, safe_name

NAME_CHARACTERS = 80
"""Of a drop's name, with the number that keeps it apart from others; in bytes, `LARGEST_NAME`."""


def adopted_drop_name(file_name: str, rows: pa.Table, nobodys: Mapping[str, pa.Table]) -> str | None:
    """Return the drop that a file was before `drops` lost its row; None if it was none.

    Args:
        file_name: of the spreadsheet, with the folders before it.
        rows: what was read from it.
        nobodys: rows of drops of which no file is known.
    """
    likely = alike(unique_drop_name(file_name, set()))
    for drop in sorted(nobodys, key=lambda drop: (alike(drop) != likely, drop)):
        if rows["image_url"].equals(nobodys[drop]["image_url"]):
            return drop
    return None


def unique_drop_name(file_name: str, taken: set[str]) -> str:
    """Return a drop's name in the reports; no two are alike on file systems that ignore case or Unicode form.

    Args:
        file_name: of the spreadsheet, with the folders before it; they become part of the name.
        taken: names that other drops have, as `_alike` gives them; the new one is added.
    """
    path = PurePosixPath(file_name)
    stem, suffix = "_".join([*path.parts[:-1], path.stem]), path.suffix.lstrip(".").lower()
    endings = ["", f"_{safe_name(suffix)}"] if suffix else [""]
    number = 1
    while alike(name := _limited(stem, endings.pop(0))) in taken:
        if not endings:
            number += 1
            endings.append(f"_{number}")
    taken.add(alike(name))
    return name


def _limited(stem: str, ending: str) -> str:
    """Return a safe name of a stem and an ending, within the limits of a name; the ending is kept whole."""
    limit = NAME_CHARACTERS - len(ending)
    while len((name := safe_name(stem, fallback="drop", limit=limit) + ending).encode()) > LARGEST_NAME:
        limit -= 1
    return name


def alike(name: str) -> str:
    """Return what names have in common that are one to a file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
