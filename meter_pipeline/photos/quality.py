"""How good a photo is: brightness, contrast, sharpness, glare and green, measured at one small working size.

Photos are measured small so that a measure costs milliseconds and means the same for a thumbnail and a 50-megapixel
photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

WORKING_SIDE = 384
"""Pixels of the longer side when measured; smaller photos are measured as they are."""
BLOWN_OUT_LUMA = 250
"""Luma (0 to 255) from which a pixel counts as glare."""
GREEN_HUES = (60, 170)
"""Degrees; from the yellow-green of LCD backlights to the blue-green of plants in shade."""
GREEN_MIN_SATURATION = 0.25
GREEN_MIN_VALUE = 0.20
_HUE_STEPS = 256


@dataclass(frozen=True)
class Quality:
    """What was measured of one photo.

    Attributes:
        brightness: mean luma (ITU-R 601), 0 to 255.
        contrast: standard deviation of the luma.
        sharpness: variance of the 4-neighbour Laplacian of the luma (Pech-Pacheco et al., 2000); higher is sharper.
        glare: share of blown-out pixels, 0 to 1.
        green_ratio: share of clearly green pixels (LCD backlights, plants), 0 to 1.
    """

    brightness: float
    contrast: float
    sharpness: float
    glare: float
    green_ratio: float


def measure(image: Image.Image) -> Quality:
    """Measure an RGB photo."""
    small = image if max(image.size) <= WORKING_SIDE else _shrunk(image)
    luma = np.asarray(small.convert("L"), np.int16)  # whole numbers: exact, and a quarter of the time of floats
    inner = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    return Quality(
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=float(laplacian.var()) if laplacian.size else 0.0,
        glare=float((luma >= BLOWN_OUT_LUMA).mean()),
        green_ratio=_green_share(small),
    )


def _green_share(image: Image.Image) -> float:
    """Return the share of an RGB image's pixels that are clearly green, 0 to 1.

    Hues are computed only where they may be green, since that takes longer than all else that is measured: there green
    is not less than red and blue, and the colour is neither dark nor pale.
    """
    red, green_band, blue = (np.asarray(band) for band in image.split())
    least_value = math.ceil(GREEN_MIN_VALUE * 255)
    may_be = (green_band >= red) & (green_band >= blue) & (green_band >= least_value)
    may_be &= green_band - np.minimum(red, blue) >= green_band >> 3  # half the least saturation; the rest is exact
    some = np.stack([band[may_be] for band in (red, green_band, blue)], axis=1)
    if not len(some):
        return 0.0
    hue, saturation, value = np.moveaxis(np.asarray(Image.fromarray(some[None]).convert("HSV"))[0], 1, 0)
    low, high = (degrees * _HUE_STEPS / 360 for degrees in GREEN_HUES)
    green = (hue >= math.ceil(low)) & (hue <= math.floor(high))
    green &= saturation >= math.ceil(GREEN_MIN_SATURATION * 255)
    green &= value >= least_value
    return int(np.count_nonzero(green)) / may_be.size


def is_dark(brightness: float, threshold: float) -> bool:
    """Return whether a photo is too dark for its prediction to be final.

    Mean luma decides alone: of the 5 photos marked dark among the 789 field photos, at most 2 % of the 707 good ones
    flagged, it finds 2, and so do the 50th, 75th, 90th and 99th percentile of luma and mean luma plus one or two
    standard deviations. (The other 3 are lit, but badly.) The 2 have a mean luma of 21 and 23; the darkest good photo
    has 33.

    Args:
        brightness: mean luma, 0 to 255.
        threshold: setting `dark_brightness`.
    """
    return brightness < threshold


def _shrunk(image: Image.Image) -> Image.Image:
    scale = WORKING_SIDE / max(image.size)
    width, height = (max(3, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
