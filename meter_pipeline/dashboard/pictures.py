"""Photos on the pages: thumbnails in cards, previews, and a word where a photo cannot be shown."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import streamlit as st

from meter_pipeline.dashboard.text import plain
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.thumbnails import PREVIEW_SIDE, THUMBNAIL_SIDE, thumbnail
from meter_pipeline.storage.layout import Layout

CARD_WIDTH = 182
"""Pixels of a card: five fit beside the menu on a laptop."""
PICTURE_HEIGHT = THUMBNAIL_SIDE + 12
"""Pixels that a thumbnail's place is high."""


def card(width: int = CARD_WIDTH) -> AbstractContextManager[object]:
    """Return a framed place for a photo and its words, as high as the others in its row."""
    return st.container(border=True, width=width, height="stretch", gap="xsmall")


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


def show_preview(layout: Layout, image_id: str | None, path: Path | None, alt: str) -> None:
    """Show one photo large, or say why it cannot be shown."""
    if image_id is None or path is None:
        st.info("There is no photo.")
        return
    try:
        st.image(thumbnail(layout, image_id, path, side=PREVIEW_SIDE), alt=alt)
    except PhotoError as error:
        st.warning(plain(f"{error.reason} {path}"))
