"""Draws the fittings of a meter's face: logo, screws, disc, optical port, buttons."""

from __future__ import annotations

import math

from PIL import ImageDraw

from meter_pipeline.demo.drawing.parts import Box, Colour, Knob, Point, Port
from meter_pipeline.demo.drawing.strokes import disc_at, rect, shade

_BLACK: Colour = (22, 23, 26)
_WHITE: Colour = (245, 245, 245)


def _regular(corners: int, turn: float, size: float = 1.0) -> list[Point]:
    angles = [turn + 2 * math.pi * step / corners for step in range(corners)]
    return [(size * math.cos(angle), size * math.sin(angle)) for angle in angles]


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _star() -> list[Point]:
    outer, inner = _regular(5, -math.pi / 2), _regular(5, -math.pi / 2 + math.pi / 5, 0.42)
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


def _chevron(drop: float) -> list[Point]:
    return [(-1, drop + 0.5), (0, drop), (1, drop + 0.5), (1, drop + 0.95), (0, drop + 0.45), (-1, drop + 0.95)]


# Within a circle of radius 1 around 0, 0.
_LOGO_POLYGONS: dict[str, list[list[Point]]] = {
    "diamond": [_regular(4, 0)],
    "triangle": [_regular(3, -math.pi / 2)],
    "hexagon": [_regular(6, 0)],
    "star": [_star()],
    "bolt": [[(0.2, -1), (-0.6, 0.15), (0, 0.15), (-0.2, 1), (0.6, -0.2), (0.05, -0.2)]],
    "bars": [
        _rectangle(-1 + 0.7 * place, 1 - 2 * tall, -0.5 + 0.7 * place, 1) for place, tall in enumerate((0.5, 0.8, 1.0))
    ],
    "quarters": [_rectangle(-1, -1, -0.08, -0.08), _rectangle(0.08, 0.08, 1, 1)],
    "chevron": [_chevron(-0.7), _chevron(0.0)],
    "cross": [_rectangle(-1, -0.3, 1, 0.3), _rectangle(-0.3, -1, 0.3, 1)],
}
_LOGO_HOLES: dict[str, list[list[Point]]] = {
    "diamond": [_regular(4, 0, 0.45)],
    "hexagon": [_regular(6, 0, 0.65)],
    "disc": [_rectangle(-0.2, -0.7, 0.2, 0.7)],
}


def draw_logo(pen: ImageDraw.ImageDraw, shape: str, box: Box, colour: Colour, scale: float) -> None:
    """Draw a maker's logo, as wide as high, in the middle of its box."""
    radius = min(box.width, box.height) / 2 * scale
    x, y = (box.left + box.right) / 2 * scale, (box.top + box.bottom) / 2 * scale
    around = (x - radius, y - radius, x + radius, y + radius)
    if shape == "ring":
        pen.ellipse(around, outline=colour, width=round(radius * 0.35))
    elif shape == "disc":
        pen.ellipse(around, fill=colour)
    elif shape == "wave":
        for lift in (-0.4, 0.2, 0.8):
            points = [(x + t / 8 * radius, y + radius * (lift + 0.25 * math.sin(t / 2))) for t in range(-8, 9)]
            pen.line(points, fill=colour, width=max(2, round(radius * 0.22)))
    for polygon in _LOGO_POLYGONS.get(shape, ()):
        pen.polygon([(x + dx * radius, y + dy * radius) for dx, dy in polygon], fill=colour)
    for polygon in _LOGO_HOLES.get(shape, ()):
        pen.polygon([(x + dx * radius, y + dy * radius) for dx, dy in polygon], fill=_WHITE)


def draw_screw(pen: ImageDraw.ImageDraw, screw: Knob, scale: float) -> None:
    """Draw a slotted screw."""
    x, y, radius = screw.x * scale, screw.y * scale, screw.radius * scale
    disc_at(pen, x, y, radius, screw.colour, shade(screw.colour, 0.5))
    pen.line(
        (x - radius * 0.7, y - radius * 0.4, x + radius * 0.7, y + radius * 0.4),
        fill=(50, 46, 40),
        width=round(radius * 0.25),
    )


def draw_disc(pen: ImageDraw.ImageDraw, box: Box, scale: float) -> None:
    """Draw the slot in which the disc of a mechanical meter turns."""
    pen.rectangle(rect(box, scale, 8), fill=(40, 41, 44))
    pen.rectangle(rect(box, scale), fill=(178, 182, 186))
    pen.rectangle(rect(box.part(0, 0.55, 1, 1), scale), fill=(120, 124, 128))
    pen.rectangle(rect(box.part(0.62, 0, 0.68, 1), scale), fill=(170, 30, 30))


def draw_port(pen: ImageDraw.ImageDraw, port: Port, scale: float) -> None:
    """Draw the optical port."""
    x, y, radius = port.x * scale, port.y * scale, port.radius * scale
    if port.kind == "ring":
        disc_at(pen, x, y, radius, (176, 180, 182), (110, 112, 116))
        disc_at(pen, x, y, radius * 0.62, (34, 35, 38), (90, 92, 96))
        for side in (-1, 1):
            disc_at(pen, x + side * radius * 0.25, y, radius * 0.14, (96, 30, 36), None)
    elif port.kind == "hole":
        disc_at(pen, x, y, radius * 0.8, (26, 26, 28), (70, 72, 76))
        disc_at(pen, x - radius * 0.2, y - radius * 0.2, radius * 0.25, (66, 68, 72), None)
    elif port.kind == "cap":
        disc_at(pen, x, y, radius * 1.1, (38, 39, 42), (84, 86, 90))
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
        disc_at(pen, x, y, radius * 0.7, (150, 153, 156), (96, 98, 100))
        disc_at(pen, x, y, radius * 0.2, _BLACK, None)


def draw_button(pen: ImageDraw.ImageDraw, button: Knob, scale: float) -> None:
    """Draw a button."""
    x, y, radius = button.x * scale, button.y * scale, button.radius * scale
    if button.shape == "round":
        disc_at(pen, x, y, radius, button.colour, shade(button.colour, 0.5))
    else:
        wide = radius * (1.35 if button.shape == "wide" else 1.0)
        tall = radius * (0.6 if button.shape == "wide" else 1.0)
        pen.rounded_rectangle(
            (x - wide, y - tall, x + wide, y + tall),
            radius * 0.25,
            fill=button.colour,
            outline=shade(button.colour, 0.5),
            width=max(1, round(radius * 0.14)),
        )
    disc_at(pen, x - radius * 0.3, y - radius * 0.25, radius * 0.18, (255, 255, 255, 110), None)
