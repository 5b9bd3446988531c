"""What the frozen trunk makes of each photo, kept on disk, so that an epoch costs only what is trained."""

from __future__ import annotations

import hashlib
import io
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from meter_pipeline.photos.parallel import in_parallel
from meter_pipeline.photos.progress import Progress
from meter_pipeline.recognition.network.backbones import Backbone
from meter_pipeline.recognition.network.device import one_thread_each
from meter_pipeline.recognition.network.locating import Place
from meter_pipeline.recognition.network.preprocess import LOCATED, Preprocess
from meter_pipeline.recognition.network.torch_network import normalise
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.hashes import stamp
from meter_pipeline.training.augmentation import AUGMENTATION_ID, at_working_size, augmented

_logger = logging.getLogger(__name__)

PHOTOS_AHEAD = 16
"""Photos read before they are asked for."""
CHECKSUM_BYTES = 4
KEPT_IN_MIND = 100_000
"""Files whose checksum a process computes once."""
SAMPLES_PER_PASS = {"cpu": 4, "cuda": 64}
"""Samples per forward pass, by device: 12 at once take a third longer each on a processor: its cache is too small."""


@dataclass(frozen=True)
class TrunkCache:
    """Feature maps of photos, float16, for each photo samples x channels x height x width.

    Sample i is view i (modulo the views); the first round is the photo as it is, what follows is augmented: each framed
    view in its own way, the located ones as the round's view of the whole. Two files per photo: the framed views, and
    the located ones, named by where the meter is, so that another direction to locate by computes only photos it moves.

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
    _located_files: dict[tuple[str, int], Path] = field(default_factory=dict, init=False, repr=False, compare=False)

    def fill(self, photos: Sequence[tuple[str, Path]], samples: int) -> None:
        """Compute what is not there yet.

        Args:
            photos: image_id and file of each photo.
            samples: how many samples of each.
        """
        self.fill_framed(photos, samples)
        if True in self._kinds(samples):
            self._fill(", meters located", photos, samples, self._located_file, self._located_images)

    def fill_framed(self, photos: Sequence[tuple[str, Path]], samples: int) -> None:
        """Compute what is not there yet of the views that need no direction; arguments as of `fill`."""
        self._fill("", photos, samples, self._framed_file, self._framed_images)

    def maps(self, image_id: str, samples: int, *, use: int | None = None) -> np.ndarray:
        """Return a photo's feature maps, samples x channels x height x width, float16.

        Args:
            image_id: the photo.
            samples: as how many samples it is kept.
            use: how many of them, from the first; None: all.
        """
        wanted = range(samples if use is None else use)
        parts = {located: self._part(image_id, samples, located=located) for located in self._kinds(samples)}
        return np.stack([parts[self._is_located(sample)][self._row(sample, samples)] for sample in wanted])

    def sample(self, image_id: str, samples: int, sample: int) -> np.ndarray:
        """Return one sample of a photo, channels x height x width, float16."""
        part = self._part(image_id, samples, located=self._is_located(sample))
        return np.array(part[self._row(sample, samples)])  # a copy: a view would hold the file open

    def _part(self, image_id: str, samples: int, *, located: bool) -> np.ndarray:
        file = self._located_file if located else self._framed_file
        return np.load(file(image_id, samples), mmap_mode="r")

    def _kinds(self, samples: int) -> set[bool]:
        return {self._is_located(sample) for sample in range(samples)}

    def _is_located(self, sample: int) -> bool:
        return self.preprocess.views[sample % len(self.preprocess.views)] in LOCATED

    def _row(self, sample: int, samples: int) -> int:
        """Return the place of a sample among those of its file."""
        return self._samples(samples, located=self._is_located(sample)).index(sample)

    def _samples(self, samples: int, *, located: bool) -> list[int]:
        return [sample for sample in range(samples) if self._is_located(sample) == located]

    def _first_of_round(self, sample: int) -> int:
        """Return the sample that shows the whole of the image that another one shows a part of."""
        return sample - sample % len(self.preprocess.views)

    def _fill(
        self,
        of_what: str,
        photos: Sequence[tuple[str, Path]],
        samples: int,
        file: Callable[[str, int], Path],
        images: Callable[[str, Image.Image, int], list[Image.Image]],
    ) -> None:
        missing = [(image_id, path) for image_id, path in photos if not _is_whole(file(image_id, samples))]
        if not missing:
            return
        _logger.info("Frozen trunk%s: %d of %d photos to compute", of_what, len(missing), len(photos))
        self.backbone.trunk.eval().requires_grad_(False).to(self.device)
        progress = Progress(len(missing), lambda words: _logger.info("Frozen trunk%s: %s", of_what, words), of="photos")

        def compute(photo: tuple[str, Path]) -> None:
            maps = self._through_trunk(images(photo[0], self.preprocess.open(photo[1]), samples))
            _keep(maps, file(photo[0], samples))

        with one_thread_each():
            for _ in in_parallel(compute, missing, ahead=PHOTOS_AHEAD):
                progress.advance()

    def _framed_file(self, image_id: str, samples: int) -> Path:
        key = f"{self.backbone.name}-{self.backbone.weights_id}-{self.preprocess.framed_id}"
        augmentation = f"-{AUGMENTATION_ID}-{self.seed}" if samples > len(self.preprocess.views) else ""
        return self.folder / f"{key}-{samples}{augmentation}" / image_id[:2] / f"{image_id}.npy"

    def _located_file(self, image_id: str, samples: int) -> Path:
        known = self._located_files.get((image_id, samples))
        if known is None:
            places = self._places(image_id, samples)
            cut = [(name, LOCATED[name][:3]) for name in self.preprocess.located_views]
            name = hashlib.sha256(repr((cut, sorted(places.items()))).encode()).hexdigest()[:12]
            known = self._framed_file(image_id, samples).with_name(f"{image_id}-{name}.npy")
            self._located_files[image_id, samples] = known
        return known

    def _places(self, image_id: str, samples: int) -> dict[int, Place | None]:
        """Return where the meter is on each image that has located samples, by the sample that shows its whole."""
        wholes = sorted({self._first_of_round(sample) for sample in self._samples(samples, located=True)})
        framed = self._part(image_id, samples, located=False)
        return {whole: self.preprocess.place(framed[self._row(whole, samples)]) for whole in wholes}

    def _framed_images(self, image_id: str, image: Image.Image, samples: int) -> list[Image.Image]:
        views, small = self.preprocess.views, at_working_size(image)
        return [
            self.preprocess.view(self._source(image, small, image_id, sample), views[sample % len(views)])
            for sample in self._samples(samples, located=False)
        ]

    def _located_images(self, image_id: str, image: Image.Image, samples: int) -> list[Image.Image]:
        views, small = self.preprocess.views, at_working_size(image)
        places = self._places(image_id, samples)
        sources = {whole: self._source(image, small, image_id, whole) for whole in places}
        return [
            self.preprocess.located(sources[whole], views[sample % len(views)], places[whole])
            for sample in self._samples(samples, located=True)
            for whole in [self._first_of_round(sample)]
        ]

    def _source(self, image: Image.Image, small: Image.Image, image_id: str, sample: int) -> Image.Image:
        return image if sample < len(self.preprocess.views) else augmented(small, image_id, sample, self.seed)

    def _through_trunk(self, images: Sequence[Image.Image]) -> np.ndarray:
        pixels, size = np.stack([np.asarray(image) for image in images]), SAMPLES_PER_PASS[self.device.type]
        with torch.inference_mode():
            passes = [pixels[start : start + size] for start in range(0, len(pixels), size)]
            maps = [self.backbone.trunk(normalise(self.preprocess, some).to(self.device)) for some in passes]
        return torch.cat(maps).cpu().numpy().astype(np.float16)


def block_outputs(
    block: nn.Module, cache: TrunkCache, image_ids: Sequence[str], samples: int, *, use: int | None = None
) -> torch.Tensor:
    """Return what a last block makes of kept trunk outputs, photos x samples x dimensions, on the processor.

    Args:
        block: the block, on the cache's device.
        cache: the trunk's outputs.
        image_ids: the photos.
        samples: as how many samples they are kept.
        use: how many of them, from the first; None: all.
    """
    block.eval()
    rows = []
    with torch.inference_mode():
        for image_id in image_ids:
            maps = torch.from_numpy(cache.maps(image_id, samples, use=use))
            rows.append(block(maps.float().to(cache.device)).cpu())
    return torch.stack(rows)


def _is_whole(path: Path) -> bool:
    """Return whether a kept output is there and holds what was written; a damaged one is computed again."""
    try:
        is_sound = _is_sound(path, *stamp(path.stat()))
    except FileNotFoundError:
        return False
    except OSError:
        is_sound = False
    if not is_sound:
        _logger.warning("%s is damaged. It is computed again.", path)
    return is_sound


def _keep(maps: np.ndarray, path: Path) -> None:
    """Write an output, and its checksum behind it, which readers of arrays pass over."""
    buffer = io.BytesIO()
    np.save(buffer, maps)
    content = buffer.getvalue()
    write_bytes(path, content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES))


@lru_cache(maxsize=KEPT_IN_MIND)
def _is_sound(path: Path, *_stamp: int) -> bool:
    content = path.read_bytes()
    kept, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    return bool(kept) and zlib.crc32(kept).to_bytes(CHECKSUM_BYTES) == checksum
