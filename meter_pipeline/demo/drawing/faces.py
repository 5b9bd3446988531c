"""Draws the face of one physical meter: the design's parts, and what differs between two meters of the same design."""

from __future__ import annotations

import random
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

from meter_pipeline.demo.drawing.fittings import draw_button, draw_disc, draw_logo, draw_port, draw_screw
from meter_pipeline.demo.drawing.parts import FACE_WIDTH, Box, Colour, Design, Knob
from meter_pipeline.demo.drawing.registers import FACE_PIXELS, FACE_SCALE, Reading, draw_drums, draw_lcd
from meter_pipeline.demo.drawing.strokes import disc_at, font, rect, shade

_OVERSAMPLING = 2
"""The design's fixed parts are drawn this much larger and reduced, for smooth edges."""
_LEAST_CONTRAST = 55.0
"""Difference of luma (0 to 255) a printed logo needs."""
_BLACK: Colour = (22, 23, 26)


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
        draw_lcd(pen, design, reading)
    else:
        draw_drums(pen, design, reading, meter)
    if design.leds and reading.led_on:
        _glow(face, design.leds[0])
    _stickers(face, design, meter)
    face.putalpha(alpha)
    return face


@lru_cache(maxsize=64)
def _fixed_parts(design: Design) -> tuple[Image.Image, Image.Image]:
    """Draw what is the same on every meter of a design; returns colour and silhouette."""
    scale = FACE_SCALE * _OVERSAMPLING
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
        draw_screw(pen, screw, scale)
    if design.disc:
        draw_disc(pen, design.disc, scale)
    _register_frame(pen, design, scale)
    if design.port:
        draw_port(pen, design.port, scale)
    for button in design.buttons:
        draw_button(pen, button, scale)
    for led in design.leds:
        disc_at(pen, led.x * scale, led.y * scale, led.radius * scale, tuple(c // 2 for c in led.colour), _BLACK)
    if design.clear_cover:
        _gloss(face, design, scale)
    small = (FACE_PIXELS, round(design.height * FACE_SCALE))
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


def _cover(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    """Draw the cover's rim: a clear cover shows an inner frame with its highlights, a solid one a groove."""
    inset = 22
    bottom = min(design.terminal_top, design.height) - inset
    if design.housing == "round":
        edge = (30 * scale, 30 * scale, 970 * scale, min(970, design.height - 30) * scale)
        pen.ellipse(edge, outline=(*shade(design.housing_colour, 0.6), 255), width=round(12 * scale))
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
        pen.ellipse((95 * scale, 95 * scale, 905 * scale, 905 * scale), fill=colour, outline=shade(colour, 0.7))
    else:
        pen.rounded_rectangle(
            rect(design.plate, scale), 16 * scale, fill=colour, outline=shade(colour, 0.72), width=round(4 * scale)
        )
    if design.band:
        pen.rectangle(rect(design.band, scale, -6), fill=design.band_colour)
    name = design.name_line
    behind = design.band_colour if design.band and name.y < design.band.bottom else colour
    maker_colour = _legible(design.maker.logo_colour, behind)
    draw_logo(pen, design.maker.logo, design.logo_box, maker_colour, scale)
    pen.text(
        (name.x * scale, name.y * scale),
        design.maker.name,
        font=font(design.maker.font, round(name.size * scale)),
        fill=maker_colour,
    )
    for line in design.lines:
        letters = font("DejaVuSans-Bold" if line.bold else "DejaVuSans", round(line.size * 0.78 * scale))
        pen.text((line.x * scale, line.y * scale), line.text, font=letters, fill=ink)
    if design.approval_mark:
        box = design.approval_mark
        pen.rectangle(rect(box, scale), outline=ink, width=round(5 * scale))
        letters = font("DejaVuSans-Bold", round(box.height * 0.55 * scale))
        middle = ((box.left + box.right) / 2 * scale, (box.top + box.bottom) / 2 * scale)
        pen.text(middle, "QA", font=letters, fill=ink, anchor="mm")


def _legible(colour: Colour, behind: Colour) -> Colour:
    """Return the colour, or white where it is nearly as dark as what is behind it."""
    if abs(_luma(colour) - _luma(behind)) > _LEAST_CONTRAST:
        return colour
    return (244, 245, 246) if _luma(behind) < 150 else (30, 32, 40)


def _luma(colour: Colour) -> float:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def _terminal(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    if design.terminal == "none":
        return
    narrow = 95 if design.housing == "shouldered" else 8
    box = Box(narrow, design.terminal_top, FACE_WIDTH - 2 * narrow, design.height - design.terminal_top - 8)
    colour = design.terminal_colour
    if design.terminal == "clear":
        pen.rounded_rectangle(rect(box, scale), 26 * scale, fill=shade(colour, 0.5))
        for place in range(4):
            x = box.left + box.width * (0.2 + 0.2 * place)
            pen.rectangle(
                rect(Box(x - 45, box.top + 0.25 * box.height, 90, 0.45 * box.height), scale), fill=(60, 56, 50)
            )
            for y in (0.36, 0.56):
                disc_at(pen, x * scale, (box.top + y * box.height) * scale, 24 * scale, (186, 152, 82), (96, 74, 34))
        pen.rounded_rectangle(
            rect(box, scale, -10),
            22 * scale,
            fill=(220, 228, 234, 70),
            outline=(240, 244, 248, 130),
            width=round(6 * scale),
        )
        return
    pen.rounded_rectangle(rect(box, scale), 26 * scale, fill=colour, outline=shade(colour, 0.6), width=round(5 * scale))
    if design.terminal == "ribbed":
        for place in range(11):
            x = (box.left + box.width * (0.16 + 0.068 * place)) * scale
            top, bottom = (box.top + 0.3 * box.height) * scale, (box.bottom - 0.12 * box.height) * scale
            pen.rectangle((x, top, x + 15 * scale, bottom), fill=shade(colour, 0.78))
            pen.rectangle((x + 15 * scale, top, x + 20 * scale, bottom), fill=shade(colour, 1.15))


def _register_frame(pen: ImageDraw.ImageDraw, design: Design, scale: float) -> None:
    box = design.register_box
    if design.window:
        pen.rounded_rectangle(rect(box, scale, 44), 20 * scale, fill=design.window)
    pen.rounded_rectangle(rect(box, scale, 20), 12 * scale, fill=design.bezel, outline=shade(design.bezel, 0.6))
    pen.rectangle(rect(box, scale), fill=design.lcd_off if design.register == "lcd" else _BLACK)


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
    left, top, right, bottom = rect(box, FACE_SCALE)
    if not design.barcode:
        letters = font("DejaVuSans-Bold", round(min(box.height * 0.6, box.width / len(number) * 1.35) * FACE_SCALE))
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


def _glow(face: Image.Image, led: Knob) -> None:
    pen = ImageDraw.Draw(face, "RGBA")
    x, y, radius = led.x * FACE_SCALE, led.y * FACE_SCALE, led.radius * FACE_SCALE
    for grow, alpha in ((3.2, 50), (2.2, 90), (1.0, 255)):
        disc_at(pen, x, y, radius * grow, (*led.colour, alpha), None)


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
        pen.rectangle((0, 0, width, design.terminal_top * FACE_SCALE), fill=(214, 208, 190, meter.randrange(20, 70)))
