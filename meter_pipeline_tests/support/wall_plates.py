"""Photos of a printed plate on a plain wall, and a preprocessing that has learned to locate it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.locating import fit_direction
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.network.torch_network import normalise


def plate_on_a_wall(seed: int, size: tuple[int, int] = (360, 480)) -> tuple[Image.Image, tuple[float, float]]:
    """Draw a printed plate somewhere on a plain wall; return the photo and the middle of the plate."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(v) for v in random.integers(90, 230, 3)))
    pen = ImageDraw.Draw(image)
    left, top = int(random.integers(5, size[0] - 165)), int(random.integers(5, size[1] - 145))
    pen.rounded_rectangle((left, top, left + 160, top + 140), 8, fill=(225, 225, 220), outline=(40, 40, 40), width=3)
    for line in range(5):
        text = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789 "), 13))
        pen.text((left + 10, top + 8 + 26 * line), text, font=ImageFont.load_default(18), fill=(20, 20, 30))
    return image, (left + 80.0, top + 70.0)


def whole_map(backbone: Backbone, preprocess: Preprocess, image: Image.Image) -> np.ndarray:
    """Return what the trunk makes of the whole photo, as a batch of one."""
    with torch.inference_mode():
        squeezed = np.asarray(preprocess.view(image, "squeezed"))[None]
        return backbone.trunk.eval()(normalise(preprocess, squeezed)).numpy()


def locating_preprocess(backbone: Backbone) -> Preprocess:
    """Return a preprocessing whose direction was learned from eight such photos."""
    plain = Preprocess(backbone.mean, backbone.std)
    maps = np.concatenate([whole_map(backbone, plain, plate_on_a_wall(seed)[0]) for seed in range(8)])
    return replace(plain, direction=fit_direction(maps))
