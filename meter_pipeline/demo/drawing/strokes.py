"""Strokes that all drawn things share: fonts, boxes, discs and shades of a colour."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

from meter_pipeline.demo.drawing.parts import Box, Colour


@lru_cache(maxsize=256)
def font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Return one of the fonts that matplotlib carries: the same letters on every machine."""
    return ImageFont.truetype(str(_font_folder() / f"{name}.ttf"), max(5, pixels), layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1)
def _font_folder() -> Path:
    found = importlib.util.find_spec("matplotlib")  # found, not imported: that takes a second
    if found is None or found.origin is None:
        raise ModuleNotFoundError("matplotlib, whose fonts the sample photos are drawn with")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def rect(box: Box, scale: float, grow: float = 0.0) -> tuple[float, float, float, float]:
    """Return a box, grown on every side by `grow` face units, in pixels."""
    return (
        (box.left - grow) * scale,
        (box.top - grow) * scale,
        (box.right + grow) * scale,
        (box.bottom + grow) * scale,
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker (factor below 1) or lighter."""
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


def disc_at(
    pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: Colour | tuple[int, ...], outline: Colour | None
) -> None:
    """Draw a disc around a point; all in pixels."""
    pen.ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=fill, outline=outline, width=max(1, round(radius * 0.14))
    )
