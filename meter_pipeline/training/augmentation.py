"""What a camera and a hand do to a photo of a meter, for training: never mirrored, since print does not mirror."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

AUGMENTATION_ID = "2"
"""Part of the cache key; change it with anything below."""

WORKING_SIDE = 400
"""Pixels of the shorter side that a photo is augmented at."""
MAX_TURN_DEGREES = 8.0
MIN_CROP = 0.80
"""Smallest side of the random crop, as a share of the photo's."""
MAX_SKEW = 0.06
"""How far a corner may move, as a share of the side."""
LIGHT = (0.65, 1.35)
BLUR_SHARE, NOISE_SHARE, JPEG_SHARE = 0.25, 0.25, 0.25


def at_working_size(image: Image.Image) -> Image.Image:
    """Return a photo small enough to be augmented quickly; views of its plate may have to be enlarged a little."""
    scale = WORKING_SIDE / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)


def augmented(image: Image.Image, image_id: str, sample: int, seed: int) -> Image.Image:
    """Return a photo as another camera might have taken it.

    Args:
        image: RGB photo.
        image_id: its name; with `sample` and `seed` it decides every random choice.
        sample: number of the augmented sample, from 0.
        seed: setting `seed`.
    """
    key = hashlib.sha256(f"{image_id}/{sample}/{seed}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(key[:8], "big"))
    image = _reframed(image, random)
    image = image.rotate(
        random.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES), Image.Resampling.BILINEAR, fillcolor=(127,) * 3
    )
    image = ImageEnhance.Brightness(image).enhance(random.uniform(*LIGHT))
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.75, 1.25))
    image = ImageEnhance.Color(image).enhance(random.uniform(0.6, 1.4))
    if random.random() < BLUR_SHARE:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 0.004 * min(image.size))))
    if random.random() < NOISE_SHARE:
        pixels = np.asarray(image, np.float32)
        pixels = pixels + random.normal(0, random.uniform(2, 12), pixels.shape).astype(np.float32)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if random.random() < JPEG_SHARE:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=int(random.integers(25, 75)))
        image = Image.open(buffer).convert("RGB")
    return image


def _reframed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Crop and skew in one warp: the photo as seen from a little elsewhere."""
    width, height = image.size
    share = random.uniform(MIN_CROP, 1.0)
    left, top = random.uniform(0, 1 - share) * width, random.uniform(0, 1 - share) * height
    right, bottom = left + share * width, top + share * height
    corners = np.array([(left, top), (left, bottom), (right, bottom), (right, top)])
    corners += random.uniform(-MAX_SKEW, MAX_SKEW, (4, 2)) * share * np.array([width, height])
    return image.transform(
        (width, height),
        Image.Transform.QUAD,
        tuple(float(value) for value in corners.ravel()),
        Image.Resampling.BILINEAR,
        fillcolor=(127, 127, 127),
    )
