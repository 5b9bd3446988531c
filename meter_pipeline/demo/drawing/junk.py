"""Draws scenes without an electricity meter, the junk among the photos: water meters, gauges, sky, plants, fingers."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from meter_pipeline.demo.drawing.parts import Colour
from meter_pipeline.demo.drawing.scenes import SCENE_SIZE, draw_cable, draw_surroundings, draw_wall, textures
from meter_pipeline.demo.drawing.strokes import font

JUNK = ("water meter", "wall", "sky", "gauge", "plants", "switchgear", "finger")


def draw_junk(rng: random.Random, kind: str | None = None) -> Image.Image:
    """Draw a scene without an electricity meter, RGB, `SCENE_SIZE`."""
    kind = kind or rng.choice(JUNK)
    if kind == "water meter":
        return _water_meter(rng)
    if kind == "sky":
        return _sky(rng)
    if kind == "gauge":
        return _gauge(rng)
    if kind == "plants":
        return _plants(rng)
    if kind == "switchgear":
        return _switchgear(rng)
    scene = draw_wall(rng)
    draw_surroundings(scene, rng)
    for _ in range(rng.randrange(4)):
        draw_cable(scene, rng, (rng.randrange(900), 0), (rng.randrange(900), 1600))
    if kind == "finger":
        pen = ImageDraw.Draw(scene)
        x, tone = rng.randrange(100, 600), rng.uniform(0.5, 1.05)
        colour = tuple(round(c * tone) for c in (214, 158, 128))
        pen.rounded_rectangle((x, rng.randrange(200, 700), x + rng.randrange(320, 560), 1700), 190, fill=colour)
        scene = scene.filter(ImageFilter.BoxBlur(14))
    return scene


def _water_meter(rng: random.Random) -> Image.Image:
    scene = draw_wall(rng, rng.choice(("concrete", "plaster", "brick")))
    pen = ImageDraw.Draw(scene, "RGBA")
    x, y, radius = rng.randrange(340, 560), rng.randrange(620, 980), rng.randrange(220, 330)
    brass = rng.choice(((168, 132, 70), (110, 112, 116), (36, 80, 150)))
    pen.rectangle((0, y - 70, 900, y + 70), fill=tuple(c * 3 // 4 for c in brass))
    pen.rectangle((0, y - 50, 900, y - 30), fill=(255, 255, 255, 60))
    pen.ellipse(
        (x - radius * 1.15, y - radius * 1.15, x + radius * 1.15, y + radius * 1.15),
        fill=brass,
        outline=(50, 44, 30),
        width=8,
    )
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(236, 236, 230), outline=(90, 90, 90), width=6)
    step = radius * 0.2
    for place in range(7):
        left = x - 3.5 * step + place * step
        ink: Colour = (180, 30, 30) if place > 4 else (30, 30, 34)
        pen.rectangle((left, y - radius * 0.5, left + step - 3, y - radius * 0.2), outline=ink, width=3)
        pen.text(
            (left + step / 2, y - radius * 0.35),
            str(rng.randrange(10)),
            font=font("DejaVuSans-Bold", round(step)),
            fill=ink,
            anchor="mm",
        )
    for turn in range(3):
        dial = (x + radius * 0.55 * math.cos(turn * 1.1 + 0.4), y + radius * 0.55 * math.sin(turn * 1.1 + 0.4))
        small = radius * 0.17
        pen.ellipse(
            (dial[0] - small, dial[1] - small, dial[0] + small, dial[1] + small), outline=(160, 30, 30), width=3
        )
        angle = rng.uniform(0, 6.3)
        pen.line(
            (*dial, dial[0] + small * math.cos(angle), dial[1] + small * math.sin(angle)), fill=(180, 20, 20), width=5
        )
    pen.text(
        (x, y + radius * 0.15), "m³", font=font("DejaVuSans", round(radius * 0.16)), fill=(40, 40, 40), anchor="mm"
    )
    return scene


def _sky(rng: random.Random) -> Image.Image:
    top: Colour = rng.choice(((90, 140, 210), (160, 176, 196), (60, 100, 170)))
    gradient = Image.linear_gradient("L").resize(SCENE_SIZE)
    scene = Image.composite(Image.new("RGB", SCENE_SIZE, (222, 228, 232)), Image.new("RGB", SCENE_SIZE, top), gradient)
    clouds = textures()[2].point([max(0, min(255, (value - 120) * 4)) for value in range(256)])
    clouds = ImageChops.offset(clouds, rng.randrange(450), rng.randrange(800)).filter(ImageFilter.BoxBlur(10))
    clouds = clouds.resize(SCENE_SIZE)
    scene.paste((246, 248, 250), (0, 0), clouds)
    pen = ImageDraw.Draw(scene)
    x = rng.randrange(200, 700)
    pen.rectangle((x, rng.randrange(150, 500), x + 44, 1600), fill=(70, 62, 54))
    pen.rectangle((x - 170, 560, x + 214, 590), fill=(60, 54, 48))
    for _ in range(rng.randrange(3, 7)):
        y = rng.randrange(400, 700)
        pen.line(
            (0, y + rng.randrange(-200, 200), x + 20, y, 900, y + rng.randrange(-200, 200)),
            fill=(30, 30, 34),
            width=rng.randrange(3, 7),
        )
    return scene


def _gauge(rng: random.Random) -> Image.Image:
    scene = draw_wall(rng, "cabinet")
    pen = ImageDraw.Draw(scene, "RGBA")
    for y in [800] if rng.random() < 0.5 else [520, 1130]:
        x, radius = rng.randrange(400, 500), rng.randrange(220, 290)
        pen.ellipse(
            (x - radius * 1.2, y - radius * 1.2, x + radius * 1.2, y + radius * 1.2),
            fill=rng.choice(((40, 42, 46), (176, 140, 60), (120, 124, 128))),
        )
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(240, 240, 236))
        for step in range(21):
            angle = math.pi * (0.75 + 1.5 * step / 20)
            inner = 0.78 if step % 5 == 0 else 0.86
            line = [(x + r * radius * math.cos(angle), y + r * radius * math.sin(angle)) for r in (inner, 0.94)]
            pen.line(line, fill=(180, 30, 30) if step > 16 else (30, 30, 32), width=6 if step % 5 == 0 else 3)
        angle = math.pi * (0.75 + 1.5 * rng.random())
        pen.line(
            (x, y, x + 0.8 * radius * math.cos(angle), y + 0.8 * radius * math.sin(angle)), fill=(20, 20, 22), width=9
        )
        pen.ellipse((x - 22, y - 22, x + 22, y + 22), fill=(20, 20, 22))
        text = rng.choice(("kPa", "°C", "kV", "bar", "MPa SF6"))
        pen.text((x, y + radius * 0.45), text, font=font("DejaVuSans", 46), fill=(30, 30, 32), anchor="mm")
    return scene


def _plants(rng: random.Random) -> Image.Image:
    scene = draw_wall(rng, rng.choice(("brick", "plaster")))
    pen = ImageDraw.Draw(scene, "RGBA")
    for _ in range(260):
        x, y, length, turn = rng.randrange(900), rng.randrange(1600), rng.uniform(40, 150), rng.uniform(0, 6.3)
        green = (rng.randrange(20, 110), rng.randrange(80, 190), rng.randrange(20, 80))
        tip = (x + length * math.cos(turn), y + length * math.sin(turn))
        side = (length * 0.22 * math.sin(turn), -length * 0.22 * math.cos(turn))
        middle = ((x + tip[0]) / 2, (y + tip[1]) / 2)
        pen.polygon(
            [(x, y), (middle[0] + side[0], middle[1] + side[1]), tip, (middle[0] - side[0], middle[1] - side[1])],
            fill=green,
        )
    return scene


def _switchgear(rng: random.Random) -> Image.Image:
    scene = draw_wall(rng, "cabinet")
    pen = ImageDraw.Draw(scene, "RGBA")
    for y in range(260, 1400, rng.randrange(330, 460)):
        pen.rectangle((60, y + 110, 840, y + 140), fill=(130, 134, 138))
        for x in range(90, 760, rng.choice((96, 120))):
            if rng.random() < 0.85:
                pen.rounded_rectangle(
                    (x, y, x + 84, y + 260), 8, fill=(226, 226, 222), outline=(110, 110, 108), width=3
                )
                pen.rectangle(
                    (x + 26, y + 90, x + 58, y + 160),
                    fill=rng.choice(((30, 30, 34), (30, 30, 34), (180, 40, 40), (60, 140, 80))),
                )
                pen.text(
                    (x + 10, y + 14),
                    f"C{rng.choice((6, 10, 16, 20, 32))}",
                    font=font("DejaVuSans", 22),
                    fill=(40, 40, 44),
                )
    for _ in range(5):
        draw_cable(scene, rng, (rng.randrange(900), 0), (rng.randrange(900), 1600))
    return scene
