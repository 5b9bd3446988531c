"""Draws what a meter shows: seven-segment digits behind glass, or digits on drums."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import ImageDraw

from meter_pipeline.demo.drawing.parts import FACE_WIDTH, Colour, Design
from meter_pipeline.demo.drawing.strokes import font, rect, shade

FACE_PIXELS = 520
"""Width of a drawn face in pixels; the camera then enlarges or shrinks it."""
FACE_SCALE = FACE_PIXELS / FACE_WIDTH
"""Pixels per face unit."""
_RED_DRUM: Colour = (176, 36, 34)

# Segments of each digit: a b c d e f g (top, upper right, lower right, bottom, lower left, upper left, middle).
_SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


@dataclass(frozen=True)
class Reading:
    """What a meter shows on one photo.

    Attributes:
        value: the register's digits, without the decimal point.
        lit: brightness of the backlight, 0 (off) to 1.
        led_on: whether the first LED shines.
    """

    value: int
    lit: float
    led_on: bool


def draw_lcd(pen: ImageDraw.ImageDraw, design: Design, reading: Reading) -> None:
    """Draw the display: glass, its glow, the digits with the ghosts of dark segments, the unit."""
    box = design.register_box
    left, top, right, bottom = rect(box, FACE_SCALE)
    glass = design.lcd_off
    if design.lcd_lit and reading.lit > 0:
        mix = [round(a + (b - a) * reading.lit) for a, b in zip(design.lcd_off, design.lcd_lit, strict=True)]
        glass = (mix[0], mix[1], mix[2])
        spread = round(10 * FACE_SCALE)
        for step in range(3, 0, -1):
            pen.rounded_rectangle(
                (left - step * spread, top - step * spread, right + step * spread, bottom + step * spread),
                10,
                fill=(*glass, round(34 * reading.lit)),
            )
    pen.rectangle((left, top, right, bottom), fill=glass)
    pen.line((left, top + 1, right, top + 1), fill=(0, 0, 0, 90), width=3)  # the bezel's shadow
    dark = (*shade(glass, 0.2), 235)
    ghost = (*shade(glass, 0.75), 60)
    unit = font("DejaVuSans-Bold", round((bottom - top) * 0.2))
    pen.text((right - 4, bottom - 4), design.unit, font=unit, fill=dark, anchor="rs")
    usable = (right - left) * 0.84
    pitch = usable / design.digits
    tall = min((bottom - top) * 0.68, pitch * 1.75)
    first = left + (right - left) * 0.03
    baseline = top + (bottom - top) * 0.16
    for place, digit in enumerate(f"{reading.value:0{design.digits}d}"[-design.digits :]):
        x = first + place * pitch
        _seven_segments(pen, x, baseline, pitch * 0.72, tall, "abcdefg", ghost)
        _seven_segments(pen, x, baseline, pitch * 0.72, tall, _SEGMENTS[int(digit)], dark)
        if design.decimals and place == design.digits - design.decimals - 1:
            pen.rectangle((x + pitch * 0.82, baseline + tall - 3, x + pitch * 0.92, baseline + tall), fill=dark)


def _seven_segments(
    pen: ImageDraw.ImageDraw, x: float, y: float, width: float, height: float, lit: str, colour: tuple[int, ...]
) -> None:
    thick = max(2.0, width * 0.19)
    slant = height * 0.07
    middle = y + height / 2

    def bar(x0: float, y0: float, x1: float, y1: float) -> None:
        lean0, lean1 = slant * (1 - (y0 - y) / height), slant * (1 - (y1 - y) / height)
        pen.polygon([(x0 + lean0, y0), (x1 + lean0, y0), (x1 + lean1, y1), (x0 + lean1, y1)], fill=colour)

    right, bottom, gap = x + width, y + height, thick * 0.25
    for name, corners in {
        "a": (x + thick, y, right - thick, y + thick),
        "b": (right - thick, y + gap, right, middle - gap),
        "c": (right - thick, middle + gap, right, bottom - gap),
        "d": (x + thick, bottom - thick, right - thick, bottom),
        "e": (x, middle + gap, x + thick, bottom - gap),
        "f": (x, y + gap, x + thick, middle - gap),
        "g": (x + thick, middle - thick / 2, right - thick, middle + thick / 2),
    }.items():
        if name in lit:
            bar(*corners)


def draw_drums(pen: ImageDraw.ImageDraw, design: Design, reading: Reading, meter: random.Random) -> None:
    """Draw a mechanical register: white digits on black drums, the decimals on red ones."""
    left, top, right, bottom = rect(design.register_box, FACE_SCALE)
    step = (right - left) / design.digits
    letters = font("DejaVuSans-Bold", round(min((bottom - top) * 0.7, step * 0.95)))
    for place, digit in enumerate(f"{reading.value:0{design.digits}d}"[-design.digits :]):
        x = left + place * step
        red = place >= design.digits - max(1, design.decimals)
        pen.rectangle((x + 2, top + 2, x + step - 2, bottom - 2), fill=_RED_DRUM if red else (34, 35, 38))
        drift = meter.uniform(-0.05, 0.05) * (bottom - top)
        pen.text((x + step / 2, (top + bottom) / 2 + drift), digit, font=letters, fill=(236, 236, 232), anchor="mm")
        pen.line((x + 2, top + 3, x + step - 2, top + 3), fill=(255, 255, 255, 60), width=2)
    unit = font("DejaVuSans-Bold", round(40 * FACE_SCALE))
    pen.text((right + 16, (top + bottom) / 2), design.unit, font=unit, fill=design.ink, anchor="lm")
