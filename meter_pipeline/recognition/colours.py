"""Which colours the middle of a photo shows, and how much of each: plates differ in colour where networks do not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from meter_pipeline.recognition.network.preprocess import Preprocess

VIEW = "centre"
SIDE = 56
"""Pixels of each side that the view is averaged down to: print and noise are gone, plates are not."""
HUES = 12
CHROMA_EDGES = (8.0, 22.0)
"""Chroma (distance from grey in CIELAB): below the first a pixel is grey, above the second its colour is strong."""
COLOURS = 1 + HUES * len(CHROMA_EDGES)
"""Length of `colour_shares`: grey, the pale hues, the strong hues."""


def photo_colours(preprocess: Preprocess, image: Image.Image) -> np.ndarray:
    """Return the colours of a decoded photo's middle; see `colour_shares`."""
    return colour_shares(preprocess.view(image, VIEW))


def colour_shares(image: Image.Image) -> np.ndarray:
    """Return the share of an image's area that each colour has, `COLOURS` numbers that add up to 1, float32.

    The light's tint is taken out first by the grey-world rule (all channels get the same mean; Buchsbaum 1980), since a
    plate is the same type under a lamp and in the sun.

    Args:
        image: RGB.
    """
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    means = pixels.mean(axis=(0, 1))
    balanced = (pixels * (means.mean() / np.maximum(means, 1.0))).clip(0, 255).astype(np.uint8)
    lab = np.asarray(ImageCms.applyTransform(Image.fromarray(balanced), _to_lab())).astype(np.int8)  # a, b are signed
    green_red, blue_yellow = (lab[..., channel].ravel().astype(np.float32) for channel in (1, 2))
    strength = np.digitize(np.hypot(green_red, blue_yellow), CHROMA_EDGES)
    hue = (np.arctan2(blue_yellow, green_red) / (2 * np.pi) % 1) * HUES
    lower, part = np.floor(hue).astype(np.int64) % HUES, hue - np.floor(hue)
    coloured = strength > 0
    shares = np.zeros(COLOURS)
    shares[0] = np.sum(~coloured)
    # Each pixel is shared by the two nearest hues, so that none lies on an edge.
    for hues, weights in ((lower, 1 - part), ((lower + 1) % HUES, part)):
        places = 1 + (strength - 1) * HUES + hues
        shares += np.bincount(places[coloured], weights[coloured], COLOURS)
    return (shares / len(hue)).astype(np.float32)


@lru_cache(maxsize=1)
def _to_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
