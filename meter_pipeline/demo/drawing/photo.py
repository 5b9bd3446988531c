"""Draws one photo from a seed: a meter on its wall, seen by a phone's camera in the light of that moment."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from meter_pipeline.demo.drawing.faces import draw_face
from meter_pipeline.demo.drawing.junk import draw_junk
from meter_pipeline.demo.drawing.parts import Design
from meter_pipeline.demo.drawing.registers import FACE_PIXELS, Reading
from meter_pipeline.demo.drawing.scenes import SCENE_SIZE, WALLS, draw_cable, draw_surroundings, draw_wall

PHOTO_SIZE = (720, 1280)
"""Width and height in pixels."""
_RENDER_SIZE = (528, 940)
"""What camera and light work at; enlarged before the sensor's noise, for speed and a phone lens's softness."""
PHOTO_BYTES = (45 * 1024, 97 * 1024)
"""Smallest and largest file that the search for a JPEG quality aims at."""

_TARGET_BYTES = (52 * 1024, 92 * 1024)
_QUALITY_RANGE = (20, 97)
_FIRST_QUALITY = 60
_ENCODINGS_AT_MOST = 8
_CLOSE_ENOUGH = 0.12
"""Difference of the logarithms of the size and its target at which the search for a quality ends."""
_LOG_BYTES_PER_QUALITY = 0.026
"""How fast the logarithm of the file's size grows with JPEG quality, near 60, on these photos."""
_NOISE_SEED = 11
_NOISE_SIGMA = 40.0
_EXIF_ORIENTATION = 0x0112
# Orientation tag: the turn that stores a photo so that the tag puts it right.
_STORED_TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
_ROTATED_SHARE = 0.08
_USUAL_WALL_SHARE = 0.5

Condition = Literal["ordinary", "dark", "blurred"]


@dataclass(frozen=True)
class Shot:
    """What one photo shows, all of it: the same shot always gives the same bytes.

    Attributes:
        design: the meter's design; None draws junk.
        meter: seed of the physical meter: serial number, wear, wall. Photos of one meter share it.
        view: seed of the moment: viewpoint, light, reading.
        burst: 0, or the number of a further photo taken a second later: nearly the same picture.
        condition: ordinary, dark (mean luma under 25) or blurred.
    """

    design: Design | None
    meter: str
    view: str
    burst: int = 0
    condition: Condition = "ordinary"


def draw_photo(shot: Shot) -> bytes:
    """Draw a photo of `PHOTO_SIZE` and return it as JPEG bytes; some carry an EXIF orientation other than upright."""
    camera = random.Random(f"camera {shot.meter} {shot.view}")
    shake = random.Random(f"shake {shot.meter} {shot.view} {shot.burst}")
    scene = _scene(shot)
    photo = _seen_by(scene, camera, shake if shot.burst else None, is_meter=shot.design is not None)
    photo = _lit(photo, camera)
    photo = _focused(photo, camera, shot.condition)
    if shot.condition == "dark":
        photo = _darkened(photo, camera)
    photo = photo.resize(PHOTO_SIZE, Image.Resampling.BILINEAR)
    photo = _noisy(photo, shake, strength=camera.uniform(0.06, 0.26) * (0.5 if shot.condition == "dark" else 1.0))
    return _encoded(photo, camera)


def _scene(shot: Shot) -> Image.Image:
    """Paint the wall with the meter on it, seen from straight ahead."""
    place = random.Random(f"place {shot.meter}")
    if shot.design is None:
        return draw_junk(place)
    moment = random.Random(f"moment {shot.meter} {shot.view}")
    # A utility hangs a design where it worked at the time: half of its meters are on one kind of wall.
    usual = random.Random(f"wall {shot.design.name}").choice(WALLS)
    scene = draw_wall(place, usual if place.random() < _USUAL_WALL_SHARE else None)
    draw_surroundings(scene, place)
    lit = shot.design.lit_share > moment.random()
    top = 10 ** min(shot.design.digits, 6)
    reading = Reading(
        int(top * moment.random() ** 2.0), moment.uniform(0.55, 1.0) if lit else 0.0, moment.random() < 0.4
    )
    face = draw_face(shot.design, random.Random(f"meter {shot.meter}"), reading)
    left = (SCENE_SIZE[0] - FACE_PIXELS) // 2
    top_edge = (SCENE_SIZE[1] - face.height) // 2
    _cables(scene, place, left, top_edge, face.height)
    shadow = face.getchannel("A").resize((face.width // 8, face.height // 8))
    padded = Image.new("L", (shadow.width + 12, shadow.height + 12))
    padded.paste(shadow, (6, 6))
    soft = padded.filter(ImageFilter.BoxBlur(2)).point([round(value * 0.6) for value in range(256)])
    soft = soft.resize((soft.width * 8, soft.height * 8), Image.Resampling.BILINEAR)
    drop = (place.randrange(-26, 30), place.randrange(8, 34))
    scene.paste((8, 8, 10), (left - 48 + drop[0], top_edge - 48 + drop[1]), soft)
    scene.paste(face, (left, top_edge), face)
    if place.random() < 0.18:  # a cable hangs across the meter
        draw_cable(scene, place, (place.randrange(900), -20), (place.randrange(900), 1620))
    return _dusted(scene, place)


def _cables(scene: Image.Image, place: random.Random, left: int, top: int, height: int) -> None:
    for _ in range(place.randrange(2, 5)):
        start = (left + place.uniform(0.2, 0.8) * FACE_PIXELS, top + height - 20.0)
        draw_cable(scene, place, start, (place.uniform(-100, 1000), 1640.0))
    if place.random() < 0.3:
        draw_cable(scene, place, (place.uniform(0, 900), -20.0), (left + FACE_PIXELS / 2, top + 20.0))


def _dusted(scene: Image.Image, place: random.Random) -> Image.Image:
    """Lay dust, spots and streaks over wall and meter."""
    amount = place.random() ** 2
    pen = ImageDraw.Draw(scene, "RGBA")
    for _ in range(round(70 * amount)):
        x, y, radius = place.uniform(0, 900), place.uniform(0, 1600), place.uniform(1, 7)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(96, 80, 58, place.randrange(60, 190)))
    for _ in range(round(7 * amount)):
        x, y, length = place.uniform(150, 750), place.uniform(200, 1100), place.uniform(80, 420)
        pen.polygon(
            [(x, y), (x + place.uniform(4, 22), y), (x + 6, y + length)], fill=(110, 92, 70, place.randrange(40, 110))
        )
    return scene


def _seen_by(scene: Image.Image, camera: random.Random, shake: random.Random | None, *, is_meter: bool) -> Image.Image:
    """Look at the scene from the camera's place; `shake` moves it a little, as between two photos of a burst."""
    width, height = PHOTO_SIZE
    zoom = camera.choice((camera.uniform(0.9, 1.2), camera.uniform(1.05, 1.45)))
    turn = math.radians(camera.gauss(0, 4.5) if is_meter else camera.uniform(-8, 8))
    aim_x = SCENE_SIZE[0] / 2 + camera.gauss(0, 32)
    aim_y = SCENE_SIZE[1] / 2 + camera.gauss(0, 65)
    slants = [camera.uniform(-0.075, 0.075) for _ in range(8)]
    if shake:
        zoom *= 1 + shake.uniform(-0.012, 0.012)
        turn += math.radians(shake.uniform(-0.5, 0.5))
        aim_x += shake.uniform(-5, 5)
        aim_y += shake.uniform(-5, 5)
    corners = []
    for place, (across, down) in enumerate(((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))):
        x = (across + slants[2 * place]) * width / zoom
        y = (down + slants[2 * place + 1]) * height / zoom
        corners.append(
            (aim_x + x * math.cos(turn) - y * math.sin(turn), aim_y + x * math.sin(turn) + y * math.cos(turn))
        )
    return scene.transform(
        _RENDER_SIZE,
        Image.Transform.PERSPECTIVE,
        _perspective(corners),
        Image.Resampling.BILINEAR,
        fillcolor=(52, 48, 46),
    )


def _perspective(corners: list[tuple[float, float]]) -> tuple[float, ...]:
    """Return the eight coefficients that map the picture's corners to these points of the scene."""
    width, height = _RENDER_SIZE
    rows, values = [], []
    for (x, y), (u, v) in zip(((0, 0), (width, 0), (width, height), (0, height)), corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist())


def _lit(photo: Image.Image, camera: random.Random) -> Image.Image:
    """Light the photo: colour of the light, a gradient, a shadow, glare or flash, exposure."""
    gains = [camera.uniform(0.9, 1.08), 1.0, camera.uniform(0.86, 1.1)]
    exposure, gamma = camera.uniform(0.74, 1.16), camera.uniform(0.8, 1.3)
    haze = camera.choice((0.0, 0.0, camera.uniform(0, 36)))
    table = [
        min(255, max(0, round(haze + (255 - haze) * gain * exposure * (value / 255) ** gamma)))
        for gain in gains
        for value in range(256)
    ]
    photo = photo.point(table)
    shade = Image.new("L", (6, 10))
    tilt, base = (camera.uniform(-30, 30), camera.uniform(-26, 26)), camera.uniform(190, 246)
    shade.putdata(
        [
            min(255, max(60, round(base + tilt[0] * (x - 2.5) / 2.5 + tilt[1] * (y - 4.5) / 4.5)))
            for y in range(10)
            for x in range(6)
        ]
    )
    light = shade.resize((90, 160), Image.Resampling.BICUBIC)
    if camera.random() < 0.35:
        _cast_shadow(light, camera)
    light = light.resize(_RENDER_SIZE, Image.Resampling.BILINEAR)
    photo = ImageChops.multiply(photo, Image.merge("RGB", (light, light, light)))
    if camera.random() < 0.5:
        glare = _glare(camera).resize(_RENDER_SIZE, Image.Resampling.BILINEAR)
        photo = ImageChops.screen(photo, Image.merge("RGB", (glare, glare, glare)))
    return photo


def _cast_shadow(light: Image.Image, camera: random.Random) -> None:
    """Darken a slanting half or bar of the light map (90x160), as an awning or the photographer does."""
    depth = camera.randrange(40, 130)
    y, slope = camera.uniform(-20, 160), camera.uniform(-90, 90)
    if camera.random() < 0.5:
        corners = [(0, y), (90, y + slope), (90, 160), (0, 160)]
    else:
        band = camera.uniform(20, 70)
        corners = [(0, y), (90, y + slope), (90, y + slope + band), (0, y + band)]
    mask = Image.new("L", light.size)
    ImageDraw.Draw(mask).polygon(corners, fill=depth)
    light.paste(0, (0, 0), mask.filter(ImageFilter.GaussianBlur(camera.uniform(0.6, 4))))


def _glare(camera: random.Random) -> Image.Image:
    """Return a glare map (90x160): the round flash, a window's rectangle, or a slanting streak."""
    glare = Image.new("L", (90, 160))
    pen = ImageDraw.Draw(glare)
    x, y = camera.uniform(15, 75), camera.uniform(30, 130)
    strength = camera.randrange(70, 240)
    kind = camera.choice(("flash", "window", "streak"))
    if kind == "flash":
        radius = camera.uniform(4, 13)
        pen.ellipse((x - 2.4 * radius, y - 2.4 * radius, x + 2.4 * radius, y + 2.4 * radius), fill=strength // 4)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength)
    elif kind == "window":
        wide, tall = camera.uniform(8, 26), camera.uniform(14, 44)
        lean = camera.uniform(-8, 8)
        pen.polygon([(x, y), (x + wide, y + lean), (x + wide, y + lean + tall), (x, y + tall)], fill=strength * 2 // 3)
    else:
        wide = camera.uniform(4, 15)
        pen.polygon([(x + 30, 0), (x + 30 + wide, 0), (x - 30 + wide, 160), (x - 30, 160)], fill=strength // 2)
    return glare.filter(ImageFilter.GaussianBlur(camera.uniform(0.8, 5)))


def _focused(photo: Image.Image, camera: random.Random, condition: Condition) -> Image.Image:
    """Blur the photo: a little by its lens, along a line by a moving hand, beyond reading if it is to be blurred."""
    if condition == "blurred":
        if camera.random() < 0.6:
            return photo.filter(ImageFilter.BoxBlur(camera.uniform(7, 14))).filter(ImageFilter.BoxBlur(6))
        return _smeared(photo, camera.uniform(45, 100), camera.uniform(0, math.pi))
    if camera.random() < 0.14:
        return _smeared(photo, camera.uniform(5, 16), camera.uniform(0, math.pi))
    radius = max(0.0, camera.gauss(0.4, 0.8))
    return photo.filter(ImageFilter.BoxBlur(radius)) if radius > 0.25 else photo


def _smeared(photo: Image.Image, length: float, angle: float) -> Image.Image:
    """Average the photo along a line of `length` pixels: each blend doubles the number of shifted copies."""
    for _ in range(max(2, math.ceil(math.log2(length)))):
        length /= 2
        shifted = ImageChops.offset(photo, round(length * math.cos(angle)), round(length * math.sin(angle)))
        photo = Image.blend(photo, shifted, 0.5)
    return photo


def _darkened(photo: Image.Image, camera: random.Random) -> Image.Image:
    """Take the light away until the mean luma is between 5 and 20."""
    mean = float(np.asarray(photo.resize((45, 80), Image.Resampling.BOX).convert("L")).mean())
    factor = camera.uniform(5, 20) / max(mean, 1.0)
    return photo.point([round(value * min(1.0, factor)) for value in range(256)] * 3)


@lru_cache(maxsize=1)
def _noise() -> Image.Image:
    """Return sensor noise around 128, larger than a photo: each photo cuts its own piece; drawn once per process."""
    width, height = PHOTO_SIZE
    generator = np.random.default_rng(_NOISE_SEED)
    values = generator.normal(128, _NOISE_SIGMA, (height + 256, width + 256, 3))
    luma = generator.normal(0, _NOISE_SIGMA, (height + 256, width + 256, 1))
    return Image.fromarray(np.clip(0.6 * (values - 128) + 0.8 * luma + 128, 0, 255).astype(np.uint8))


def _noisy(photo: Image.Image, shake: random.Random, strength: float) -> Image.Image:
    left, top = shake.randrange(256), shake.randrange(256)
    noise = _noise().crop((left, top, left + PHOTO_SIZE[0], top + PHOTO_SIZE[1]))
    noise = noise.point([round(128 + (value - 128) * strength) for value in range(256)] * 3)
    return ImageChops.add(photo, noise, scale=1.0, offset=-128)


def _encoded(photo: Image.Image, camera: random.Random) -> bytes:
    """Encode as JPEG at the quality that comes near a size drawn for this photo."""
    exif = Image.Exif()
    if camera.random() < _ROTATED_SHARE:
        orientation = camera.choice(tuple(_STORED_TURNS))
        exif[_EXIF_ORIENTATION] = orientation
        photo = photo.transpose(_STORED_TURNS[orientation])
    target = camera.uniform(*_TARGET_BYTES)
    low, high = _QUALITY_RANGE
    quality, content = _FIRST_QUALITY, b""
    for attempt in range(_ENCODINGS_AT_MOST):
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=quality, exif=exif)
        content = buffer.getvalue()
        miss = math.log(target / len(content))
        if abs(miss) < _CLOSE_ENOUGH or high - low <= 1:
            break
        low, high = (quality, high) if miss > 0 else (low, quality)
        guess = quality + round(miss / _LOG_BYTES_PER_QUALITY) if attempt < 2 else (low + high) // 2
        quality = min(high - 1, max(low + 1, guess))
    return content
