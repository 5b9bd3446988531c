"""Draws the face of one physical meter: the design's parts, and what differs between two meters of the same design."""

from __future__ import annotations

import importlib.util
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from meter_pipeline.demo.designs import FACE_WIDTH, Box, Colour, Design, Knob, Point, Port

FACE_PIXELS = 520
"""Width of a drawn face in pixels; the camera then enlarges or shrinks it."""
_OVERSAMPLING = 2
"""The design's fixed parts are drawn this much larger and reduced, for smooth edges."""
_SCALE = FACE_PIXELS / FACE_WIDTH
_RED_DRUM: Colour = (176, 36, 34)
_BLACK: Colour = (22, 23, 26)

# Segments a digit, in the order a b c d e f g (top, upper right, lower right, bottom, lower left, upper left, middle).
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


def draw_face(design: Design, meter: random.Random, reading: Reading) -> Image.Image:
    """Draw a meter's face, RGBA, `FACE_PIXELS` wide.

    Args:
        design: what it is.
        meter: draws what is this meter's own: shade of its plastic, serial number, stickers, scratches.
        reading: what it shows.
    """
    body, alpha = _fixed_parts(design)
    face = body.copy()
    # Lots differ and plastic yellows: each meter has its own shade.
    fade, warm = meter.uniform(-14, 12), meter.uniform(-7, 9)
    contrast = meter.uniform(0.82, 1.06)
    tables = [
        [min(255, max(0, round((value - 128) * contrast + 128 + fade + shift))) for value in range(256)]
        for shift in (warm, warm * 0.3, -warm)
    ]
    face = face.point([entry for table in tables for entry in table])
    pen = ImageDraw.Draw(face, "RGBA")
    _serial(pen, design, meter)
    if design.register == "lcd":
        _lcd(pen, design, reading)
    else:
        _drums(pen, design, reading, meter)
    if design.leds and reading.led_on:
        _glow(face, design.leds[0])
    _stickers(face, design, meter)
    face.putalpha(alpha)
    return face


@lru_cache(maxsize=64)
def _fixed_parts(design: Design) -> tuple[Image.Image, Image.Image]:
    """Draw what is the same on every meter of a design; returns colour and silhouette."""
    scale = _SCALE * _OVERSAMPLING
    size = (FACE_PIXELS * _OVERSAMPLING, round(design.height * scale))
    silhouette = Image.new("L", size, 0)
    _silhouette(ImageDraw.Draw(silhouette), design, scale)
    face = Image.new("RGB", size, design.housing_colour)
    _shade_body(face, silhouette, strength=0.5)
    pen = ImageDraw.Draw(face, "RGBA")
    _cover(pen, design, scale)
    _plate(pen, design, scale)
    _terminal(pen, design, scale)
    for screw in design.screws:
        _screw(pen, screw, scale)
    if design.disc:
        _disc(pen, design.disc, scale)
    _register_frame(pen, design, scale)
    if design.port:
        _port(pen, design.port, scale)
    for button in design.buttons:
        _button(pen, button, scale)
    for led in design.leds:
        _disc_at(pen, led.x * scale, led.y * scale, led.radius * scale, tuple(c // 2 for c in led.colour), _BLACK)
    if design.clear_cover:
        _gloss(face, design, scale)
    small = (FACE_PIXELS, round(design.height * _SCALE))
    return face.resize(small, Image.Resampling.BOX), silhouette.resize(small, Image.Resampling.BOX)


def _silhouette(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    width, height = FACE_WIDTH * scale, design.height * scale
    corner = 45 * scale
    if design.housing == "round":
        pen.ellipse((0, 0, width, min(height, width)), fill=255)
        pen.rounded_rectangle((0.27 * width, 0.6 * height, 0.73 * width, height - 1), corner, fill=255)
    elif design.housing == "arched":
        pen.rounded_rectangle((0, 0.12 * height, width - 1, height - 1), corner, fill=255)
        pen.ellipse((0, 0, width - 1, 0.42 * height), fill=255)
    elif design.housing == "shouldered":
        split = 0.74 * height
        pen.rounded_rectangle((0, 0, width - 1, split), corner, fill=255)
        pen.rounded_rectangle((0.09 * width, split - 2 * corner, 0.91 * width, height - 1), corner, fill=255)
    elif design.housing == "cut":
        cut = 0.09 * width
        pen.polygon(
            [
                (cut, 0),
                (width - cut, 0),
                (width, cut),
                (width, height - cut),
                (width - cut, height),
                (cut, height),
                (0, height - cut),
                (0, cut),
            ],
            fill=255,
        )
    else:
        pen.rounded_rectangle((0, 0, width - 1, height - 1), corner, fill=255)
    if design.housing in ("box", "arched"):  # a lug to hang it on
        pen.rounded_rectangle((0.44 * width, 0, 0.56 * width, 0.05 * height), corner / 2, fill=255)


def _shade_body(face: Image.Image, silhouette: Image.Image, strength: float) -> None:
    """Round the body's edges off: lighter at the upper left, darker at the lower right."""
    small = silhouette.resize((silhouette.width // 4, silhouette.height // 4))
    soft = small.filter(ImageFilter.GaussianBlur(9))
    edge = soft.point([round((255 - value) * strength) for value in range(256)])
    face.paste((16, 18, 22), (0, 0), edge.resize(face.size))
    light = Image.linear_gradient("L").rotate(160, Image.Resampling.BILINEAR, fillcolor=40).resize(face.size)
    face.paste((255, 255, 255), (0, 0), light.point([round(value * 0.13) for value in range(256)]))


def _rect(box: Box, scale: float, grow: float = 0.0) -> tuple[float, float, float, float]:
    return (
        (box.left - grow) * scale,
        (box.top - grow) * scale,
        (box.right + grow) * scale,
        (box.bottom + grow) * scale,
    )


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


def _cover(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    """Draw the cover's rim: a clear cover shows an inner frame with its highlights, a solid one a groove."""
    inset = 22
    bottom = min(design.terminal_top, design.height) - inset
    if design.housing == "round":
        edge = (30 * scale, 30 * scale, 970 * scale, min(970, design.height - 30) * scale)
        pen.ellipse(edge, outline=(*_shade(design.housing_colour, 0.6), 255), width=round(12 * scale))
        return
    rim = (inset * scale, inset * scale, (FACE_WIDTH - inset) * scale, bottom * scale)
    if design.clear_cover:
        pen.rounded_rectangle(
            rim, 34 * scale, fill=(214, 222, 228, 90), outline=(250, 252, 255, 170), width=round(9 * scale)
        )
        inner = (rim[0] + 12 * scale, rim[1] + 12 * scale, rim[2] - 12 * scale, rim[3] - 12 * scale)
        pen.rounded_rectangle(inner, 26 * scale, outline=(50, 56, 66, 130), width=round(5 * scale))
    else:
        pen.rounded_rectangle(rim, 30 * scale, outline=(20, 22, 26, 80), width=round(6 * scale))


def _plate(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    colour, ink = design.plate_colour, design.ink
    if design.housing == "round":
        pen.ellipse((95 * scale, 95 * scale, 905 * scale, 905 * scale), fill=colour, outline=_shade(colour, 0.7))
    else:
        pen.rounded_rectangle(
            _rect(design.plate, scale), 16 * scale, fill=colour, outline=_shade(colour, 0.72), width=round(4 * scale)
        )
    if design.band:
        pen.rectangle(_rect(design.band, scale, -6), fill=design.band_colour)
    _logo(pen, design.maker.logo, design.logo_box, _legible(design.maker.logo_colour, colour), scale)
    name = design.name_line
    pen.text(
        (name.x * scale, name.y * scale),
        design.maker.name,
        font=font(design.maker.font, round(name.size * scale)),
        fill=_legible(design.maker.logo_colour, colour),
    )
    for line in design.lines:
        letters = font("DejaVuSans-Bold" if line.bold else "DejaVuSans", round(line.size * 0.78 * scale))
        pen.text((line.x * scale, line.y * scale), line.text, font=letters, fill=ink)
    if design.approval_mark:
        box = design.approval_mark
        pen.rectangle(_rect(box, scale), outline=ink, width=round(5 * scale))
        letters = font("DejaVuSans-Bold", round(box.height * 0.55 * scale))
        middle = ((box.left + box.right) / 2 * scale, (box.top + box.bottom) / 2 * scale)
        pen.text(middle, "QA", font=letters, fill=ink, anchor="mm")


def _legible(colour: Colour, behind: Colour) -> Colour:
    """Return the colour, or white where it would not stand out from what is behind it."""
    return colour if sum(abs(a - b) for a, b in zip(colour, behind, strict=True)) > 160 else (244, 245, 246)


def _logo(pen: ImageDraw.ImageDraw, shape: str, box: Box, colour: Colour, scale: float) -> None:
    """Draw a maker's logo, as wide as high, in the middle of its box."""
    radius = min(box.width, box.height) / 2 * scale
    x, y = (box.left + box.right) / 2 * scale, (box.top + box.bottom) / 2 * scale

    def ngon(count: int, turn: float, size: float = 1.0) -> list[Point]:
        angles = [turn + 2 * math.pi * step / count for step in range(count)]
        return [(x + size * radius * math.cos(a), y + size * radius * math.sin(a)) for a in angles]

    if shape == "diamond":
        pen.polygon(ngon(4, 0), fill=colour)
        pen.polygon(ngon(4, 0, 0.45), fill=(245, 245, 245))
    elif shape == "disc":
        _disc_at(pen, x, y, radius, colour, None)
        pen.rectangle((x - radius * 0.2, y - radius * 0.7, x + radius * 0.2, y + radius * 0.7), fill=(245, 245, 245))
    elif shape == "bars":
        for place, tall in enumerate((0.5, 0.8, 1.0)):
            left = x - radius + place * 0.7 * radius
            pen.rectangle((left, y + radius - 2 * tall * radius, left + 0.5 * radius, y + radius), fill=colour)
    elif shape == "triangle":
        pen.polygon(ngon(3, -math.pi / 2), fill=colour)
    elif shape == "hexagon":
        pen.polygon(ngon(6, 0), outline=colour, width=max(1, round(radius * 0.3)))
    elif shape == "wave":
        for lift in (-0.4, 0.2, 0.8):
            points = [(x + t / 8 * radius, y + radius * (lift + 0.25 * math.sin(t / 2))) for t in range(-8, 9)]
            pen.line(points, fill=colour, width=max(2, round(radius * 0.22)))
    elif shape == "star":
        outer, inner = ngon(5, -math.pi / 2), ngon(5, -math.pi / 2 + math.pi / 5, 0.42)
        pen.polygon([point for pair in zip(outer, inner, strict=True) for point in pair], fill=colour)
    elif shape == "ring":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=round(radius * 0.35))
    elif shape == "bolt":
        steps = ((0.2, -1), (-0.6, 0.15), (0, 0.15), (-0.2, 1), (0.6, -0.2), (0.05, -0.2))
        pen.polygon([(x + dx * radius, y + dy * radius) for dx, dy in steps], fill=colour)
    elif shape == "quarters":
        for dx, dy in ((-1, -1), (0.08, 0.08)):
            left, top = x + dx * radius, y + dy * radius
            pen.rectangle((left, top, left + radius * 0.92, top + radius * 0.92), fill=colour)
    elif shape == "chevron":
        for drop in (-0.7, 0.0):
            steps = (
                (-1, drop + 0.5),
                (0, drop),
                (1, drop + 0.5),
                (1, drop + 0.95),
                (0, drop + 0.45),
                (-1, drop + 0.95),
            )
            pen.polygon([(x + dx * radius, y + dy * radius) for dx, dy in steps], fill=colour)
    else:
        pen.rectangle((x - radius, y - radius * 0.3, x + radius, y + radius * 0.3), fill=colour)
        pen.rectangle((x - radius * 0.3, y - radius, x + radius * 0.3, y + radius), fill=colour)


def _terminal(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    if design.terminal == "none":
        return
    narrow = 95 if design.housing == "shouldered" else 8
    box = Box(narrow, design.terminal_top, FACE_WIDTH - 2 * narrow, design.height - design.terminal_top - 8)
    colour = design.terminal_colour
    if design.terminal == "clear":
        pen.rounded_rectangle(_rect(box, scale), 26 * scale, fill=_shade(colour, 0.5))
        for place in range(4):
            x = box.left + box.width * (0.2 + 0.2 * place)
            pen.rectangle(
                _rect(Box(x - 45, box.top + 0.25 * box.height, 90, 0.45 * box.height), scale), fill=(60, 56, 50)
            )
            for y in (0.36, 0.56):
                _disc_at(pen, x * scale, (box.top + y * box.height) * scale, 24 * scale, (186, 152, 82), (96, 74, 34))
        pen.rounded_rectangle(
            _rect(box, scale, -10),
            22 * scale,
            fill=(220, 228, 234, 70),
            outline=(240, 244, 248, 130),
            width=round(6 * scale),
        )
        return
    pen.rounded_rectangle(
        _rect(box, scale), 26 * scale, fill=colour, outline=_shade(colour, 0.6), width=round(5 * scale)
    )
    if design.terminal == "ribbed":
        for place in range(11):
            x = (box.left + box.width * (0.16 + 0.068 * place)) * scale
            top, bottom = (box.top + 0.3 * box.height) * scale, (box.bottom - 0.12 * box.height) * scale
            pen.rectangle((x, top, x + 15 * scale, bottom), fill=_shade(colour, 0.78))
            pen.rectangle((x + 15 * scale, top, x + 20 * scale, bottom), fill=_shade(colour, 1.15))


def _disc_at(
    pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: Colour | tuple[int, ...], outline: Colour | None
) -> None:
    pen.ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=fill, outline=outline, width=max(1, round(radius * 0.14))
    )


def _screw(pen: ImageDraw.ImageDraw, screw: Knob, scale: float) -> None:
    x, y, radius = screw.x * scale, screw.y * scale, screw.radius * scale
    _disc_at(pen, x, y, radius, screw.colour, _shade(screw.colour, 0.5))
    pen.line(
        (x - radius * 0.7, y - radius * 0.4, x + radius * 0.7, y + radius * 0.4),
        fill=(50, 46, 40),
        width=round(radius * 0.25),
    )


def _disc(pen: ImageDraw.ImageDraw, box: Box, scale: float) -> None:
    pen.rectangle(_rect(box, scale, 8), fill=(40, 41, 44))
    pen.rectangle(_rect(box, scale), fill=(178, 182, 186))
    pen.rectangle(_rect(box.part(0, 0.55, 1, 1), scale), fill=(120, 124, 128))
    pen.rectangle(_rect(box.part(0.62, 0, 0.68, 1), scale), fill=(170, 30, 30))


def _register_frame(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    box = design.register_box
    if design.window:
        pen.rounded_rectangle(_rect(box, scale, 44), 20 * scale, fill=design.window)
    pen.rounded_rectangle(_rect(box, scale, 20), 12 * scale, fill=design.bezel, outline=_shade(design.bezel, 0.6))
    pen.rectangle(_rect(box, scale), fill=design.lcd_off if design.register == "lcd" else _BLACK)


def _port(pen: ImageDraw.ImageDraw, port: Port, scale: float) -> None:
    x, y, radius = port.x * scale, port.y * scale, port.radius * scale
    if port.kind == "ring":
        _disc_at(pen, x, y, radius, (176, 180, 182), (110, 112, 116))
        _disc_at(pen, x, y, radius * 0.62, (34, 35, 38), (90, 92, 96))
        for side in (-1, 1):
            _disc_at(pen, x + side * radius * 0.25, y, radius * 0.14, (96, 30, 36), None)
    elif port.kind == "hole":
        _disc_at(pen, x, y, radius * 0.8, (26, 26, 28), (70, 72, 76))
        _disc_at(pen, x - radius * 0.2, y - radius * 0.2, radius * 0.25, (66, 68, 72), None)
    elif port.kind == "cap":
        _disc_at(pen, x, y, radius * 1.1, (38, 39, 42), (84, 86, 90))
        pen.rounded_rectangle(
            (x - radius * 0.28, y - radius * 1.5, x + radius * 0.28, y - radius * 0.8), radius * 0.1, fill=(52, 53, 57)
        )
        pen.arc(
            (x - radius * 0.7, y - radius * 0.7, x + radius * 0.7, y + radius * 0.7),
            200,
            320,
            fill=(130, 132, 136),
            width=round(radius * 0.12),
        )
    else:
        pen.rounded_rectangle(
            (x - radius, y - radius, x + radius, y + radius),
            radius * 0.25,
            fill=(206, 208, 208),
            outline=(120, 122, 126),
            width=round(radius * 0.1),
        )
        _disc_at(pen, x, y, radius * 0.7, (150, 153, 156), (96, 98, 100))
        _disc_at(pen, x, y, radius * 0.2, _BLACK, None)


def _button(pen: ImageDraw.ImageDraw, button: Knob, scale: float) -> None:
    x, y, radius = button.x * scale, button.y * scale, button.radius * scale
    if button.shape == "round":
        _disc_at(pen, x, y, radius, button.colour, _shade(button.colour, 0.5))
    else:
        wide = radius * (1.35 if button.shape == "wide" else 1.0)
        tall = radius * (0.6 if button.shape == "wide" else 1.0)
        pen.rounded_rectangle(
            (x - wide, y - tall, x + wide, y + tall),
            radius * 0.25,
            fill=button.colour,
            outline=_shade(button.colour, 0.5),
            width=max(1, round(radius * 0.14)),
        )
    _disc_at(pen, x - radius * 0.3, y - radius * 0.25, radius * 0.18, (255, 255, 255, 110), None)


def _gloss(face: Image.Image, design: Design, scale: float) -> None:
    """Lay the faint reflections of a clear cover over the face."""
    width, height = face.size
    sheet = Image.new("L", (width // 4, height // 4), 0)
    pen = ImageDraw.Draw(sheet)
    tilt = 0.35 * sheet.width
    for left, wide in ((0.1, 0.14), (0.62, 0.05)):
        x = left * sheet.width
        pen.polygon(
            [
                (x + tilt, 0),
                (x + tilt + wide * sheet.width, 0),
                (x + wide * sheet.width, sheet.height),
                (x, sheet.height),
            ],
            fill=46,
        )
    bottom = round(design.terminal_top * scale / 4)
    pen.rectangle((0, bottom, sheet.width, sheet.height), fill=0)
    face.paste((255, 255, 255), (0, 0), sheet.filter(ImageFilter.GaussianBlur(5)).resize(face.size))


def _serial(pen: ImageDraw.ImageDraw, design: Design, meter: random.Random) -> None:
    """Print the serial number, on a white sticker with a barcode where the design has one."""
    box = design.serial
    number = f"{design.serial_prefix}{meter.randrange(10**design.serial_digits):0{design.serial_digits}d}"
    left, top, right, bottom = _rect(box, _SCALE)
    if not design.barcode:
        letters = font("DejaVuSans-Bold", round(min(box.height * 0.6, box.width / len(number) * 1.35) * _SCALE))
        pen.text((left, (top + bottom) / 2), number, font=letters, fill=design.ink, anchor="lm")
        return
    pen.rectangle((left, top, right, bottom), fill=(238, 238, 234))
    bars_bottom = top + (bottom - top) * 0.58
    x = round(left) + 5
    while x < right - 6:
        width = meter.choice((1, 1, 2, 3))
        pen.rectangle((x, top + 3, x + width - 1, bars_bottom), fill=(26, 26, 28))
        x += width + meter.choice((1, 1, 2, 2))
    letters = font("DejaVuSans", round(min((bottom - top) * 0.36, (right - left) / len(number) * 1.4)))
    pen.text(((left + right) / 2, (bars_bottom + bottom) / 2), number, font=letters, fill=(26, 26, 28), anchor="mm")


def _lcd(pen: ImageDraw.ImageDraw, design: Design, reading: Reading) -> None:
    box = design.register_box
    left, top, right, bottom = _rect(box, _SCALE)
    glass = design.lcd_off
    if design.lcd_lit and reading.lit > 0:
        mix = [round(a + (b - a) * reading.lit) for a, b in zip(design.lcd_off, design.lcd_lit, strict=True)]
        glass = (mix[0], mix[1], mix[2])
        spread = round(10 * _SCALE)
        for step in range(3, 0, -1):
            pen.rounded_rectangle(
                (left - step * spread, top - step * spread, right + step * spread, bottom + step * spread),
                10,
                fill=(*glass, round(34 * reading.lit)),
            )
    pen.rectangle((left, top, right, bottom), fill=glass)
    pen.line((left, top + 1, right, top + 1), fill=(0, 0, 0, 90), width=3)  # the bezel's shadow
    dark = (*_shade(glass, 0.2), 235)
    ghost = (*_shade(glass, 0.75), 60)
    unit = font("DejaVuSans-Bold", round((bottom - top) * 0.2))
    pen.text((right - 4, bottom - 4), design.unit, font=unit, fill=dark, anchor="rs")
    usable = (right - left) * 0.84
    step = usable / design.digits
    tall = min((bottom - top) * 0.68, step * 1.75)
    first = left + (right - left) * 0.03
    baseline = top + (bottom - top) * 0.16
    for place, digit in enumerate(f"{reading.value:0{design.digits}d}"[-design.digits :]):
        x = first + place * step
        _seven_segments(pen, x, baseline, step * 0.72, tall, "abcdefg", ghost)
        _seven_segments(pen, x, baseline, step * 0.72, tall, _SEGMENTS[int(digit)], dark)
        if design.decimals and place == design.digits - design.decimals - 1:
            pen.rectangle((x + step * 0.82, baseline + tall - 3, x + step * 0.92, baseline + tall), fill=dark)


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


def _drums(pen: ImageDraw.ImageDraw, design: Design, reading: Reading, meter: random.Random) -> None:
    """Draw a mechanical register: white digits on black drums, the decimals on red ones."""
    left, top, right, bottom = _rect(design.register_box, _SCALE)
    step = (right - left) / design.digits
    letters = font("DejaVuSans-Bold", round(min((bottom - top) * 0.7, step * 0.95)))
    for place, digit in enumerate(f"{reading.value:0{design.digits}d}"[-design.digits :]):
        x = left + place * step
        red = place >= design.digits - max(1, design.decimals)
        pen.rectangle((x + 2, top + 2, x + step - 2, bottom - 2), fill=_RED_DRUM if red else (34, 35, 38))
        drift = meter.uniform(-0.05, 0.05) * (bottom - top)
        pen.text((x + step / 2, (top + bottom) / 2 + drift), digit, font=letters, fill=(236, 236, 232), anchor="mm")
        pen.line((x + 2, top + 3, x + step - 2, top + 3), fill=(255, 255, 255, 60), width=2)
    unit = font("DejaVuSans-Bold", round(40 * _SCALE))
    pen.text((right + 16, (top + bottom) / 2), design.unit, font=unit, fill=design.ink, anchor="lm")


def _glow(face: Image.Image, led: Knob) -> None:
    pen = ImageDraw.Draw(face, "RGBA")
    x, y, radius = led.x * _SCALE, led.y * _SCALE, led.radius * _SCALE
    for grow, alpha in ((3.2, 50), (2.2, 90), (1.0, 255)):
        _disc_at(pen, x, y, radius * grow, (*led.colour, alpha), None)


def _stickers(face: Image.Image, design: Design, meter: random.Random) -> None:
    """Stick, scrawl and scratch on a meter what people and years leave on it."""
    pen = ImageDraw.Draw(face, "RGBA")
    width, height = face.size
    if meter.random() < 0.3:
        x, y = meter.uniform(0.1, 0.7) * width, meter.uniform(0.72, 0.9) * height
        pen.rectangle(
            (x, y, x + 0.26 * width, y + 34), fill=meter.choice(((240, 238, 226), (246, 214, 60), (240, 240, 240)))
        )
        pen.text((x + 6, y + 8), f"{meter.randrange(10**6):06d}", font=font("DejaVuSans", 17), fill=(40, 40, 60))
    if meter.random() < 0.3:
        text = f"{meter.choice('ABCDK')}{meter.randrange(100)}-{meter.randrange(1000)}"
        ink = meter.choice(((24, 24, 34, 220), (36, 40, 130, 220), (150, 24, 24, 210)))
        letters = font("STIXGeneralBolIta", meter.randrange(34, 58))
        spot = (meter.uniform(0.1, 0.6) * width, meter.uniform(0.74, 0.9) * height)
        pen.text(spot, text, font=letters, fill=ink)
    if meter.random() < 0.5:  # a seal on its wire
        x, y = meter.uniform(0.1, 0.9) * width, meter.uniform(0.7, 0.86) * height
        colour = meter.choice(((190, 40, 50), (40, 70, 170), (236, 196, 40), (150, 152, 154), (40, 140, 70)))
        pen.line((x, y, x + 12, y + 34, x + 3, y + 52), fill=(120, 116, 104), width=2)
        pen.rounded_rectangle((x - 12, y + 44, x + 20, y + 74), 5, fill=colour)
    for _ in range(meter.randrange(7)):
        x, y, turn = meter.uniform(0, width), meter.uniform(0, height), meter.uniform(-1, 1)
        length = meter.uniform(20, 120)
        pen.line((x, y, x + length, y + length * turn), fill=(250, 250, 250, 70), width=1)
    if design.clear_cover and meter.random() < 0.25:  # the clear cover has gone milky
        pen.rectangle((0, 0, width, design.terminal_top * _SCALE), fill=(214, 208, 190, meter.randrange(20, 70)))
