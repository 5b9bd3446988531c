"""Photos on the pages: thumbnails in cards, previews, and a word where a photo cannot be shown."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import streamlit as st
from PIL import Image, ImageOps

from meter_pipeline.dashboard.text import plain
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.thumbnails import PREVIEW_SIDE, THUMBNAIL_SIDE, thumbnail
from meter_pipeline.storage.layout import Layout

CARD_WIDTH = 182
"""Pixels of a card: five fit beside the menu on a laptop."""
PICTURE_HEIGHT = THUMBNAIL_SIDE + 12
"""Pixels that a thumbnail's place is high."""
MONTAGE_COLUMNS = 4
MONTAGE_GAP = 2
"""Pixels of the screen between two photos of a montage."""
SHARPNESS = 2
"""Pixels of a montage for each one of the screen, for screens that have more and for who enlarges it."""
MONTAGE_QUALITY = 85


def card(width: int = CARD_WIDTH, *, key: str | None = None) -> AbstractContextManager[object]:
    """Return a framed place for a photo and its words, as high as the others in its row.

    Args:
        width: pixels.
        key: by which styles find it.
    """
    return st.container(border=True, width=width, height="stretch", gap="xsmall", key=key)


def show_thumbnail(layout: Layout, image_id: str | None, path: Path | None, alt: str, *, centred: bool = True) -> None:
    """Show a thumbnail, or say why there is none.

    Args:
        layout: the data directory.
        image_id: the photo; None if there never was one.
        path: its file; None if that is not known.
        alt: what the photo shows, for those who cannot see it.
        centred: whether it stands in the middle of its place.
    """
    if image_id is None or path is None:
        st.caption("No photo.")
        return
    try:
        # Of a fixed height: a card must not move under the pointer when its picture arrives.
        side: Literal["center", "left"] = "center" if centred else "left"
        with st.container(height=PICTURE_HEIGHT, border=False, horizontal_alignment=side, vertical_alignment="center"):
            st.image(thumbnail(layout, image_id, path), alt=alt)
    except PhotoError as error:
        st.caption(plain(error.reason))


def show_strip(layout: Layout, photos: list[tuple[str, Path, str]], *, width: int | None = None) -> None:
    """Show thumbnails side by side (image_id, file, alternative text), as one element; say how many are missing."""
    shown, missing = [], 0
    for image_id, path, alt in photos:
        try:
            shown.append((thumbnail(layout, image_id, path), alt))
        except PhotoError:
            missing += 1
    if shown:
        pictures, alts = zip(*shown, strict=True)
        st.image(list(pictures), alt=list(alts), width=width or "content")
    if missing:
        st.caption(f"{missing} of these photos cannot be shown: not on the disk any more, or damaged.")


def montage_width(side: int) -> int:
    """Return how many pixels of the screen a montage of square photos of this side is wide."""
    return MONTAGE_COLUMNS * side + (MONTAGE_COLUMNS - 1) * MONTAGE_GAP


def show_montage(layout: Layout, image_ids: Sequence[str], alt: str, *, side: int) -> None:
    """Show photos of the store as one picture of small squares, each the middle of a photo.

    Args:
        layout: the data directory.
        image_ids: the photos; those that are not on the disk any more are left out.
        alt: what the picture shows, for those who cannot see it.
        side: pixels of the screen of each square.
    """
    there = tuple(image_id for image_id in image_ids if layout.image(image_id).is_file())
    picture = _montage(layout, str(layout.root), there, side) if there else None
    if picture is None:
        st.caption("These photos cannot be shown: not on the disk any more, or damaged.")
    else:
        st.image(picture, alt=alt, width=montage_width(side))


@st.cache_data(max_entries=256, show_spinner=False)
def _montage(_layout: Layout, root: str, image_ids: tuple[str, ...], side: int) -> bytes | None:  # noqa: ARG001
    """Return the montage as a JPEG; None if no photo can be shown."""
    pixels, gap = side * SHARPNESS, MONTAGE_GAP * SHARPNESS

    def square(image_id: str) -> Image.Image | None:
        try:
            content = thumbnail(_layout, image_id, _layout.image(image_id))
        except PhotoError:
            return None
        return ImageOps.fit(Image.open(io.BytesIO(content)).convert("RGB"), (pixels, pixels))

    squares = [found for found in in_parallel(square, image_ids, ahead=len(image_ids)) if found is not None]
    if not squares:
        return None
    rows = -(-len(squares) // MONTAGE_COLUMNS)
    size = (montage_width(side) * SHARPNESS, rows * pixels + (rows - 1) * gap)
    sheet = Image.new("RGBA", size, (0, 0, 0, 0))  # see-through: the page is light or dark
    for number, picture in enumerate(squares):
        row, column = divmod(number, MONTAGE_COLUMNS)
        sheet.paste(picture, (column * (pixels + gap), row * (pixels + gap)))
    buffer = io.BytesIO()
    sheet.save(buffer, format="WEBP", quality=MONTAGE_QUALITY)
    return buffer.getvalue()


def show_preview(layout: Layout, image_id: str | None, path: Path | None, alt: str) -> None:
    """Show one photo large, or say why it cannot be shown."""
    if image_id is None or path is None:
        st.info("There is no photo.")
        return
    try:
        st.image(thumbnail(layout, image_id, path, side=PREVIEW_SIDE), alt=alt)
    except PhotoError as error:
        st.warning(plain(f"{error.reason} {path}"))
