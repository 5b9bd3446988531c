"""A photo on its way into the network: decoded, cut into square views of 224x224, normalised; one way for all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from meter_pipeline.core.photos import open_photo

SIZE = 224
DECODE_SIDE = 448
"""A JPEG may be decoded at a half, a quarter, ... as long as both sides keep at least this many pixels."""
DECODER = "pillow"
RESAMPLER = "bicubic"
VIEWS = ("squeezed", "centre", "zoomed")
ZOOM = 0.72
"""Side of the zoomed view, as a share of the photo's shorter side."""


@dataclass(frozen=True)
class Preprocess:
    """How a photo becomes the network's input.

    Attributes:
        mean: of each channel on values 0 to 1, as the backbone was trained with.
        std: likewise.
        size: side of a view in pixels.
        views: `squeezed` (the whole photo, its aspect given up), `centre` (the largest square), `zoomed` (its middle,
            where the plate is). The network's answers to the views are averaged.
        decode_side: see `DECODE_SIDE`.
        decoder: for the record.
        resampler: for the record.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = SIZE
    views: tuple[str, ...] = VIEWS
    decode_side: int = DECODE_SIDE
    decoder: str = DECODER
    resampler: str = RESAMPLER

    @property
    def preprocess_id(self) -> str:
        """A short hash of all of the above: models and caches made with another one do not fit."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def open(self, content: bytes | Path) -> Image.Image:
        """Decode a photo, upright, RGB.

        Raises:
            PhotoError: it is none that can be used.
        """
        return open_photo(content, smallest_side=self.decode_side).image

    def view(self, image: Image.Image, name: str) -> Image.Image:
        """Return one square view of a photo, `size` x `size`."""
        width, height = image.size
        side = min(width, height) * (ZOOM if name == "zoomed" else 1.0)
        left, top = (width - side) / 2, (height - side) / 2
        box = (0, 0, width, height) if name == "squeezed" else (left, top, left + side, top + side)
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return all views of a photo, views x size x size x 3, uint8."""
        return np.stack([np.asarray(self.view(image, name)) for name in self.views])

    def normalise(self, pixels: np.ndarray) -> torch.Tensor:
        """Return images (n x size x size x 3, uint8) as the network's input (n x 3 x size x size, float32)."""
        images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div_(255)
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
