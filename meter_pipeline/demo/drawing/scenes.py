"""Draws what is around a meter: walls, boards, pipes, cables."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from meter_pipeline.demo.drawing.parts import Colour
from meter_pipeline.demo.drawing.strokes import font

SCENE_SIZE = (900, 1600)
"""Pixels of the wall that the camera looks at; larger than a photo, so that it may turn and step back."""
_WALL_SIZE = (450, 800)
"""Walls are painted at half of the scene's size and enlarged."""
WALLS = ("plaster", "brick", "wood", "cabinet", "tiles", "concrete")

_TEXTURE_SEED = 7
_PLASTERS: tuple[Colour, ...] = (
    (196, 188, 172),
    (206, 182, 150),
    (170, 186, 186),
    (214, 208, 196),
    (196, 150, 150),
    (150, 166, 190),
    (180, 196, 160),
)
_BRICKS: tuple[Colour, ...] = ((150, 78, 58), (168, 100, 72), (128, 70, 60), (176, 128, 96))
_WOODS: tuple[Colour, ...] = ((134, 92, 56), (104, 68, 44), (164, 124, 82), (86, 60, 46))
_METALS: tuple[Colour, ...] = ((150, 156, 160), (120, 126, 130), (176, 178, 170), (98, 110, 122))
_CABLES: tuple[Colour, ...] = (
    (26, 26, 28),
    (26, 26, 28),
    (160, 36, 34),
    (200, 170, 40),
    (40, 60, 130),
    (150, 150, 148),
    (60, 110, 70),
)


def draw_wall(rng: random.Random, kind: str | None = None) -> Image.Image:
    """Draw a wall, RGB, `SCENE_SIZE`."""
    kind = kind or rng.choice(WALLS)
    if kind == "brick":
        wall = _bricks(rng)
    elif kind == "wood":
        wall = _planks(rng)
    elif kind == "cabinet":
        wall = _cabinet(rng)
    elif kind == "tiles":
        wall = _tiles(rng)
    else:
        base = rng.choice(_PLASTERS) if kind == "plaster" else (146 + rng.randrange(30),) * 3
        wall = Image.new("RGB", _WALL_SIZE, base)
    rough = {"plaster": 0.5, "concrete": 0.9, "brick": 0.7, "wood": 0.3, "cabinet": 0.15, "tiles": 0.15}[kind]
    wall = _stained(_textured(wall, rng, rough * rng.uniform(0.7, 1.2)), rng)
    return wall.resize(SCENE_SIZE, Image.Resampling.NEAREST)  # the camera smooths it


def draw_cable(scene: Image.Image, rng: random.Random, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Lay a sagging cable over the scene."""
    colour = rng.choice(_CABLES)
    width = rng.randrange(9, 24)
    bow = rng.uniform(-160, 160)
    points = []
    for step in range(15):
        t = step / 14
        x = start[0] + (end[0] - start[0]) * t + bow * math.sin(math.pi * t)
        y = start[1] + (end[1] - start[1]) * t + abs(bow) * 0.4 * math.sin(math.pi * t)
        points.append((x, y))
    pen = ImageDraw.Draw(scene, "RGBA")
    pen.line([(x + 7, y + 7) for x, y in points], fill=(0, 0, 0, 70), width=width, joint="curve")
    pen.line(points, fill=colour, width=width, joint="curve")
    pen.line(
        [(x - width * 0.2, y - width * 0.1) for x, y in points], fill=(255, 255, 255, 50), width=max(2, width // 4)
    )


def draw_surroundings(scene: Image.Image, rng: random.Random) -> None:
    """Put a board behind the meter, a switch, a pipe or chalk writing beside it."""
    pen = ImageDraw.Draw(scene, "RGBA")
    width, height = SCENE_SIZE
    if rng.random() < 0.35:
        margin_x, margin_y = rng.randrange(40, 170), rng.randrange(120, 420)
        box = (margin_x, margin_y, width - margin_x, height - margin_y)
        colour = rng.choice((*_WOODS, (60, 60, 62), (206, 204, 196)))
        pen.rectangle((box[0] + 10, box[1] + 12, box[2] + 10, box[3] + 12), fill=(0, 0, 0, 90))
        pen.rectangle(box, fill=colour, outline=tuple(c // 2 for c in colour), width=4)
    if rng.random() < 0.25:
        x, y = rng.choice((20, width - 190)), rng.randrange(200, height - 500)
        pen.rounded_rectangle((x, y, x + 160, y + 210), 10, fill=(228, 226, 220), outline=(120, 120, 118), width=3)
        pen.rectangle((x + 55, y + 60, x + 105, y + 140), fill=rng.choice(((30, 30, 32), (190, 40, 40), (40, 80, 160))))
    if rng.random() < 0.2:
        x = rng.choice((rng.randrange(0, 120), rng.randrange(width - 120, width)))
        pen.rectangle((x, 0, x + 46, height), fill=(196, 196, 190))
        pen.rectangle((x + 8, 0, x + 16, height), fill=(255, 255, 255, 110))
        pen.rectangle((x + 46, 0, x + 60, height), fill=(0, 0, 0, 60))
    if rng.random() < 0.2:
        text = f"{rng.choice(('H.No', 'Flat', 'R', 'Shop'))} {rng.randrange(1, 400)}"
        pen.text(
            (rng.randrange(60, 500), rng.randrange(150, 330)),
            text,
            font=font("STIXGeneralBolIta", 74),
            fill=(34, 34, 60, 190),
        )


@lru_cache(maxsize=1)
def textures() -> tuple[Image.Image, ...]:
    """Return grey noise at three grains, `_WALL_SIZE`, mean 128; drawn once per process."""
    generator = np.random.default_rng(_TEXTURE_SEED)
    grains = []
    for cell in (1, 4, 20):
        shape = (_WALL_SIZE[1] // cell + 2, _WALL_SIZE[0] // cell + 2)
        values = np.clip(generator.normal(128, 34, shape), 0, 255).astype(np.uint8)
        grains.append(Image.fromarray(values).resize(_WALL_SIZE, Image.Resampling.BICUBIC))
    return tuple(grains)


def _textured(wall: Image.Image, rng: random.Random, strength: float) -> Image.Image:
    """Roughen a wall; each takes another cut of the textures."""
    shift = (rng.randrange(450), rng.randrange(800))
    fine, middle, coarse = (ImageChops.offset(texture, *shift) for texture in textures())
    grain = Image.blend(Image.blend(fine, middle, 0.45), coarse, 0.4)
    grain = grain.point([min(255, max(0, round(128 + (value - 128) * strength * 1.4))) for value in range(256)])
    return ImageChops.overlay(wall, Image.merge("RGB", (grain, grain, grain)))


def _stained(wall: Image.Image, rng: random.Random) -> Image.Image:
    """Darken a wall in patches, as damp and soot do."""
    cells = [rng.randrange(120, 256) for _ in range(5 * 8)]
    patches = Image.new("L", (5, 8))
    patches.putdata(cells)
    stain = patches.resize(wall.size, Image.Resampling.BILINEAR).point(
        [200 + value * 55 // 255 for value in range(256)]
    )
    return ImageChops.multiply(wall, Image.merge("RGB", (stain, stain, stain)))


def _varied(rng: random.Random, colour: Colour, spread: int) -> Colour:
    step = rng.randrange(-spread, spread + 1)
    red, green, blue = (min(255, max(0, channel + step)) for channel in colour)
    return red, green, blue


def _bricks(rng: random.Random) -> Image.Image:
    base, mortar = rng.choice(_BRICKS), rng.choice(((176, 168, 156), (120, 112, 104)))
    wall = Image.new("RGB", _WALL_SIZE, mortar)
    pen = ImageDraw.Draw(wall)
    wide, tall = rng.randrange(75, 115), rng.randrange(28, 41)
    for row, y in enumerate(range(0, _WALL_SIZE[1], tall)):
        for x in range(-wide // 2 * (row % 2), _WALL_SIZE[0], wide):
            pen.rectangle((x, y, x + wide - 5, y + tall - 5), fill=_varied(rng, base, 20))
    return wall


def _planks(rng: random.Random) -> Image.Image:
    base = rng.choice(_WOODS)
    wall = Image.new("RGB", _WALL_SIZE, base)
    pen = ImageDraw.Draw(wall, "RGBA")
    x = 0
    while x < _WALL_SIZE[0]:
        width = rng.randrange(55, 160)
        pen.rectangle((x, 0, x + width, _WALL_SIZE[1]), fill=_varied(rng, base, 14))
        for _ in range(14):
            grain = x + rng.randrange(width)
            drift = rng.randrange(-7, 8)
            pen.line(
                (grain, 0, grain + drift, 400, grain, 800),
                fill=(40, 24, 12, rng.randrange(30, 90)),
                width=rng.randrange(1, 3),
            )
        pen.line((x, 0, x, _WALL_SIZE[1]), fill=(20, 14, 10, 200), width=3)
        x += width
    return wall


def _cabinet(rng: random.Random) -> Image.Image:
    base = rng.choice(_METALS)
    wall = Image.new("RGB", _WALL_SIZE, base)
    pen = ImageDraw.Draw(wall, "RGBA")
    inset = rng.randrange(10, 45)
    pen.rectangle(
        (inset, inset, 450 - inset, 800 - inset), fill=_varied(rng, base, 26), outline=(30, 32, 36, 180), width=4
    )
    pen.line((inset + 4, inset + 4, inset + 4, 800 - inset), fill=(255, 255, 255, 90), width=3)
    for y in range(80, 800, rng.randrange(120, 210)):
        for x in (inset + 14, 436 - inset):
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(70, 72, 76))
    if rng.random() < 0.5:
        for y in range(625, 725, 18):
            pen.rounded_rectangle((150, y, 300, y + 7), 3, fill=(36, 38, 42, 200))
    return wall


def _tiles(rng: random.Random) -> Image.Image:
    base = rng.choice(((214, 216, 214), (190, 206, 214), (222, 212, 190), (160, 176, 170)))
    wall = Image.new("RGB", _WALL_SIZE, (150, 148, 142))
    pen = ImageDraw.Draw(wall)
    side = rng.randrange(95, 165)
    for y in range(-rng.randrange(side), 800, side):
        for x in range(-rng.randrange(30), 450, side):
            pen.rectangle((x, y, x + side - 4, y + side - 4), fill=_varied(rng, base, 7))
    return wall
