"""A photo on its way into the network: decoded and cut into square views of 224x224; the same for all. Needs no torch.

Normalising the pixels is part of the network itself (`onnx_export`, `torch_network`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from meter_pipeline.photos.decoding import open_photo
from meter_pipeline.recognition.network.locating import Box, Place, locate, square_around

SIZE = 224
DECODE_SIDE = 448
"""A JPEG may be decoded at a half, a quarter, ... as long as both sides keep at least this many pixels. The view of the
plate may then have to be enlarged, by up to 1.4."""
DECODER = "pillow"
RESAMPLER = "bicubic"
VIEWS = ("squeezed", "meter", "nameplate")
FRAMED = {"centre": 1.0, "zoomed": 0.72}
"""Side of a view around the photo's middle, as a share of its shorter side."""


class Located(NamedTuple):
    """How a view around the place of the meter is cut, and how much it counts.

    Attributes:
        reach: half its side, in standard deviations of the place.
        smallest: its least side, as a share of the photo's shorter side.
        in_the_middle: its side around the photo's middle, likewise, where no place stands out.
        weight: of the view in the embeddings; in the logits every view counts the same.
    """

    reach: float
    smallest: float
    in_the_middle: float
    weight: float


LOCATED = {
    "meter": Located(1.7, 0.45, 1.0, 1.0),
    "nameplate": Located(1.2, 0.35, 0.72, 0.25),
}
"""Chosen in docs/decisions (0012, 0013). A model keeps only the names: who changes the numbers takes another name."""


@dataclass(frozen=True)
class Preprocess:
    """How a photo becomes the network's input.

    Attributes:
        mean: of each channel on values 0 to 1, as the backbone was trained with.
        std: likewise.
        size: side of a view in pixels.
        views: first the framed ones: `squeezed` (the whole photo, its aspect given up), `centre` (the largest square),
            `zoomed` (its middle); then the located ones: `meter` and `nameplate` (squares around the meter). The logits
            of the views are averaged, and so are their embeddings, with weights (`Located.weight`).
        decode_side: see `DECODE_SIDE`.
        decoder: for the record.
        resampler: for the record.
        direction: what meters are located by (`locating.fit_direction`), one number per channel of the trunk's maps;
            empty: the middle of the photo is looked at.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = SIZE
    views: tuple[str, ...] = VIEWS
    decode_side: int = DECODE_SIDE
    decoder: str = DECODER
    resampler: str = RESAMPLER
    direction: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse views in an order that nothing else here expects."""
        located = [name in LOCATED for name in self.views]
        if located != sorted(located) or (any(located) and self.views[0] != "squeezed"):
            raise ValueError(f"Located views come last, and the whole photo first: {self.views}")

    @property
    def preprocess_id(self) -> str:
        """A short hash of all of the above: models and caches made with another one do not fit."""
        return _hash(asdict(self) | {"located": {name: LOCATED[name] for name in self.located_views}})

    @property
    def located_views(self) -> tuple[str, ...]:
        """The views around where the meter is."""
        return tuple(name for name in self.views if name in LOCATED)

    @property
    def framed_id(self) -> str:
        """A short hash of what the framed views follow from, and of which views there are."""
        return _hash({name: value for name, value in asdict(self).items() if name != "direction"})

    def open(self, content: bytes | Path) -> Image.Image:
        """Decode a photo, upright, RGB.

        Raises:
            PhotoError: it cannot be decoded or is refused.
        """
        return open_photo(content, smallest_side=self.decode_side).image

    def view(self, image: Image.Image, name: str) -> Image.Image:
        """Return a framed view of a photo, `size` x `size`."""
        box = (0, 0, *image.size) if name == "squeezed" else _middle(image.size, FRAMED[name])
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)

    def place(self, photo_map: np.ndarray) -> Place | None:
        """Return where the meter is, from what the trunk makes of the `squeezed` view, channels x height x width."""
        return locate(photo_map, self.direction) if self.direction else None

    def located_box(self, name: str, place: Place | None, size: tuple[int, int]) -> Box:
        """Return the square that a located view shows of a photo of this width and height."""
        view = LOCATED[name]
        return square_around(place, size, view.reach, view.smallest) if place else _middle(size, view.in_the_middle)

    def located(self, image: Image.Image, name: str, place: Place | None) -> Image.Image:
        """Return a located view of a photo, `size` x `size`."""
        box = self.located_box(name, place, image.size)
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)

    def framed_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the framed views of a photo, views x size x size x 3, uint8."""
        return np.stack([np.asarray(self.view(image, name)) for name in self.views if name not in LOCATED])

    def located_pixels(self, image: Image.Image, photo_map: np.ndarray) -> np.ndarray:
        """Return the located views of a photo, views x size x size x 3, uint8.

        Args:
            image: the photo.
            photo_map: what the trunk makes of its `squeezed` view, channels x height x width.
        """
        place = self.place(photo_map)
        views = [np.asarray(self.located(image, name, place)) for name in self.located_views]
        return np.stack(views) if views else np.zeros((0, self.size, self.size, 3), np.uint8)

    def embedding(self, of_views: np.ndarray) -> np.ndarray:
        """Return embeddings (photos x dimensions) from those of the views (photos x views x dimensions), float32.

        Args:
            of_views: of all views, or of the first ones alone.
        """
        names = self.views[: of_views.shape[1]]
        weights = np.array([LOCATED[name].weight if name in LOCATED else 1.0 for name in names], np.float32)
        return np.asarray((of_views * (weights / weights.sum())[:, None]).sum(axis=1), np.float32)


def _hash(parameters: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]


def _middle(size: tuple[int, int], share: float) -> Box:
    width, height = size
    side = min(size) * share
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)
