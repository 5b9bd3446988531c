"""What the frozen trunk makes of each photo, kept on disk, so that an epoch costs only what is trained."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from meter_pipeline.core.augmentation import AUGMENTATION_ID, at_working_size, augmented
from meter_pipeline.core.backbones import Backbone
from meter_pipeline.core.compute import in_parallel
from meter_pipeline.core.files import replacing
from meter_pipeline.core.preprocess import Preprocess

_logger = logging.getLogger(__name__)
PHOTOS_AHEAD = 16
SAMPLES_A_PASS = {"cpu": 4, "cuda": 64}
"""Samples a forward pass, by device: 12 at once take a third longer each on a processor, whose cache is too small."""
PROGRESS_INTERVAL_S = 10.0


@dataclass(frozen=True)
class TrunkCache:
    """Feature maps of photos, float16, a file a photo: samples x channels x height x width.

    Sample i is view i (modulo the views); the first round is the photo as it is, what follows is augmented.

    Attributes:
        folder: where the files are.
        backbone: whose trunk it is.
        preprocess: how photos come in.
        seed: of the augmentation.
        device: where the trunk runs.
    """

    folder: Path
    backbone: Backbone
    preprocess: Preprocess
    seed: int
    device: torch.device

    def fill(self, photos: Sequence[tuple[str, Path]], samples: int) -> None:
        """Compute what is not there yet.

        Args:
            photos: image_id and file of each photo.
            samples: how many samples of each.
        """
        missing = [(image_id, path) for image_id, path in photos if not self._file(image_id, samples).exists()]
        if not missing:
            return
        _logger.info("Frozen trunk: %d of %d photos to compute, %d samples each", len(missing), len(photos), samples)
        self.backbone.trunk.eval().requires_grad_(False).to(self.device)
        reported = time.monotonic()
        work = in_parallel(lambda photo: self._compute(*photo, samples), missing, ahead=PHOTOS_AHEAD)
        for done, _ in enumerate(work, start=1):
            if time.monotonic() - reported > PROGRESS_INTERVAL_S:
                reported = time.monotonic()
                _logger.info("Frozen trunk: %d of %d photos", done, len(missing))

    def maps(self, image_id: str, samples: int) -> np.ndarray:
        """Return a photo's feature maps, samples x channels x height x width, float16, read as they are used."""
        return np.load(self._file(image_id, samples), mmap_mode="r")

    def _file(self, image_id: str, samples: int) -> Path:
        key = f"{self.backbone.name}-{self.backbone.weights_id}-{self.preprocess.preprocess_id}"
        augmentation = f"-{AUGMENTATION_ID}-{self.seed}" if samples > len(self.preprocess.views) else ""
        return self.folder / f"{key}-{samples}{augmentation}" / image_id[:2] / f"{image_id}.npy"

    def _compute(self, image_id: str, path: Path, samples: int) -> None:
        image, views = self.preprocess.open(path), self.preprocess.views
        small = at_working_size(image)
        sources = [
            image if sample < len(views) else augmented(small, image_id, sample, self.seed) for sample in range(samples)
        ]
        pixels = np.stack(
            [np.asarray(self.preprocess.view(source, views[i % len(views)])) for i, source in enumerate(sources)]
        )
        with torch.inference_mode():
            size = SAMPLES_A_PASS[self.device.type]
            passes = [pixels[start : start + size] for start in range(0, samples, size)]
            maps = torch.cat([self.backbone.trunk(self.preprocess.normalise(some).to(self.device)) for some in passes])
        with replacing(self._file(image_id, samples)) as temporary, temporary.open("wb") as handle:
            np.save(handle, maps.cpu().numpy().astype(np.float16))
