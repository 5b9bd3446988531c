"""Draws the fittings of a meter's face: logo, screws, disc, optical port, buttons."""

from __future__ import annotations

import math

from PIL import ImageDraw

from meter_pipeline.demo.parts import Box, Colour, Knob, Point, Port
from meter_pipeline.demo.strokes import disc_at, shade

_BLACK: Colour = (22, 23, 26)
_WHITE: Colour = (245, 245, 245)


def draw_logo(pen: ImageDraw.ImageDraw, shape: str, box: Box, colour: Colour, scale: float) -> None:
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
        disc_at(pen, x, y, radius, colour, None)
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


def draw_screw(pen: ImageDraw.ImageDraw, screw: Knob, scale: float) -> None:
    x, y, radius = screw.x * scale, screw.y * scale, screw.radius * scale
    disc_at(pen, x, y, radius, screw.colour, shade(screw.colour, 0.5))
    pen.line(
        (x - radius * 0.7, y - radius * 0.4, x + radius * 0.7, y + radius * 0.4),
        fill=(50, 46, 40),
        width=round(radius * 0.25),
    )


def draw_disc(pen: ImageDraw.ImageDraw, box: Box, scale: float) -> None:
    pen.rectangle(rect(box, scale, 8), fill=(40, 41, 44))
    pen.rectangle(rect(box, scale), fill=(178, 182, 186))
    pen.rectangle(rect(box.part(0, 0.55, 1, 1), scale), fill=(120, 124, 128))
    pen.rectangle(rect(box.part(0.62, 0, 0.68, 1), scale), fill=(170, 30, 30))


def draw_port(pen: ImageDraw.ImageDraw, port: Port, scale: float) -> None:
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
