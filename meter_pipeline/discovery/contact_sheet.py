"""A contact sheet: the photos of a cluster on one picture, each with what the model thought it was."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.thumbnails import small_picture

MAX_PHOTOS = 60
MAX_COLUMNS = 6
PHOTO_WIDTH, PHOTO_HEIGHT = 240, 320
"""Pixels of the box that a photo is fitted into; most meters are photographed upright."""
MARGIN = 16
LINE_HEIGHT = 22
TITLE_HEIGHT = 74
TITLE_SIZE, CAPTION_SIZE = 26, 15
BACKGROUND, INK, FAINT, CARD = "#f4f5f7", "#1c2430", "#667080", "#e3e6eb"
JPEG_QUALITY = 85


@dataclass(frozen=True)
class SheetPhoto:
    """A photo on a sheet: its file, and the two lines under it."""

    path: Path
    caption: str
    detail: str


def chosen_for_sheet(count: int) -> list[int]:
    """Return which of `count` photos are shown, in order: all, or evenly from the surest to the least sure."""
    if count <= MAX_PHOTOS:
        return list(range(count))
    return [round(i * (count - 1) / (MAX_PHOTOS - 1)) for i in range(MAX_PHOTOS)]


def contact_sheet(title: str, subtitle: str, photos: Sequence[SheetPhoto]) -> bytes:
    """Return the sheet as a JPEG; a photo that cannot be read leaves its box grey.

    Args:
        title: what the sheet shows.
        subtitle: what there is to say about it, in one line.
        photos: at most `MAX_PHOTOS`, in order.
    """
    columns = min(MAX_COLUMNS, max(3, len(photos)))  # three are as wide as a title
    rows = -(-len(photos) // columns)
    cell_width, cell_height = PHOTO_WIDTH + MARGIN, PHOTO_HEIGHT + 2 * LINE_HEIGHT + MARGIN
    sheet = Image.new("RGB", (MARGIN + columns * cell_width, TITLE_HEIGHT + MARGIN + rows * cell_height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    width = sheet.width - 2 * MARGIN
    draw.text(
        (MARGIN, 12), _fitted(draw, title, _font(TITLE_SIZE, bold=True), width), INK, _font(TITLE_SIZE, bold=True)
    )
    draw.text((MARGIN, 46), _fitted(draw, subtitle, _font(CAPTION_SIZE), width), FAINT, _font(CAPTION_SIZE))
    for place, photo in enumerate(photos):
        left = MARGIN + place % columns * cell_width
        top = TITLE_HEIGHT + MARGIN + place // columns * cell_height
        draw.rectangle((left, top, left + PHOTO_WIDTH - 1, top + PHOTO_HEIGHT - 1), fill=CARD)
        picture = _picture(photo.path)
        if picture is not None:
            offset = (left + (PHOTO_WIDTH - picture.width) // 2, top + (PHOTO_HEIGHT - picture.height) // 2)
            sheet.paste(picture, offset)
        for line, (text, font, ink) in enumerate(
            ((photo.caption, _font(CAPTION_SIZE, bold=True), INK), (photo.detail, _font(CAPTION_SIZE), FAINT))
        ):
            where = (left, top + PHOTO_HEIGHT + 4 + line * LINE_HEIGHT)
            draw.text(where, _fitted(draw, text, font, PHOTO_WIDTH), ink, font)
    buffer = io.BytesIO()
    sheet.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _picture(path: Path) -> Image.Image | None:
    try:
        return small_picture(path, box=(PHOTO_WIDTH, PHOTO_HEIGHT))
    except PhotoError:
        return None


def _fitted(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return the text without so much of its middle that it fits: long class names differ at their ends."""
    if draw.textlength(text, font) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        shorter = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if draw.textlength(shorter, font) <= width:
            return shorter
    return "…"


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu as matplotlib carries it: the same on every machine, with accents, Greek and Cyrillic."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts", "ttf", name)), size)
