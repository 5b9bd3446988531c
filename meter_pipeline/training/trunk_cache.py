"""What the frozen trunk makes of each photo, kept on disk, so that an epoch costs only what is trained."""

from __future__ import annotations

import hashlib
import io
import logging
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.hashes import stamp
from meter_pipeline.training.augmentation import AUGMENTATION_ID, at_working_size, augmented
from meter_pipeline.training.frozen_trunk import FrozenTrunk

_logger = logging.getLogger(__name__)

PHOTOS_AHEAD = 16
"""Photos read before they are asked for."""
PHOTOS_PER_PASS = 8
"""Photos whose kept outputs go through the last block together: about a batch, which fits a processor's cache."""
CHECKSUM_BYTES = 4
KEPT_IN_MIND = 100_000
"""Files whose checksum a process computes once."""
MOST_IN_MEMORY = 2_000_000_000
"""Bytes of kept outputs that are read once and held: 8,800 photos of efficientnet_lite0 or 1,600 of ResNet18."""


class _Memory:
    """Arrays of files that were read, as long as there is room; may be used from several threads at once."""

    def __init__(self, most_bytes: int) -> None:
        self._room, self._arrays, self._adding = most_bytes, dict[Path, np.ndarray](), threading.Lock()

    def read(self, path: Path) -> np.ndarray:
        """Return a file's array; where there is no room, one that is read as it is looked at."""
        known = self._arrays.get(path)
        if known is not None:
            return known
        mapped = np.load(path, mmap_mode="r")
        with self._adding:
            if path in self._arrays or mapped.nbytes > self._room:
                return self._arrays.get(path, mapped)
            self._room -= mapped.nbytes
            self._arrays[path] = np.array(mapped)  # a copy: a view would hold the file open
            return self._arrays[path]

    def forget(self, path: Path) -> None:
        """Read a file again when it is next asked for."""
        with self._adding:
            known = self._arrays.pop(path, None)
            self._room += 0 if known is None else known.nbytes


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
        device: where the trunk and the last block run.
        trunk: what puts photos through the trunk; made from the others unless given.
    """

    folder: Path
    backbone: Backbone
    preprocess: Preprocess
    seed: int
    device: torch.device
    trunk: FrozenTrunk = field(default=None, repr=False, compare=False)  # type: ignore[assignment]
    _located_files: dict[tuple[str, int], Path] = field(default_factory=dict, init=False, repr=False, compare=False)
    _wholes: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)
    _memory: _Memory = field(default_factory=lambda: _Memory(MOST_IN_MEMORY), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the trunk ready, unless another cache's is shared."""
        if self.trunk is None:
            trunk = FrozenTrunk(self.backbone.trunk, self.backbone.name, self.preprocess, self.device)
            object.__setattr__(self, "trunk", trunk)

    def with_direction(self, direction: tuple[float, ...]) -> TrunkCache:
        """Return the cache of the same photos with meters located by a direction."""
        other = replace(self, preprocess=replace(self.preprocess, direction=direction))
        other._wholes.update(self._wholes)
        return other

    def fill(
        self,
        photos: Sequence[tuple[str, Path]],
        samples: int,
        *,
        on_open: Callable[[str, Image.Image], None] = lambda _image_id, _image: None,
    ) -> None:
        """Compute what is not there yet, each photo decoded and augmented once.

        Args:
            photos: image_id and file of each photo.
            samples: how many samples of each.
            on_open: called with each photo that has to be decoded, from several threads at once.

        Raises:
            PhotoError: a photo cannot be decoded any more.
            WeightsError: the trunk cannot be written as what computes it.
        """
        missing = [(image_id, path) for image_id, path in photos if not self._is_kept(image_id, samples)]
        if not missing:
            return
        _logger.info("Frozen trunk: %d of %d photos to compute", len(missing), len(photos))
        progress = Progress(len(missing), lambda words: _logger.info("Frozen trunk: %s", words), of="photos")
        with one_thread_each():
            for _ in in_parallel(lambda photo: self._compute(*photo, samples, on_open), missing, ahead=PHOTOS_AHEAD):
                progress.advance()

    def wholes(self, photos: Sequence[tuple[str, Path]], samples: int) -> np.ndarray:
        """Return the maps of the first sample of photos, which needs no direction, photos x channels x height x width.

        Args:
            photos: image_id and file of each photo.
            samples: as how many samples they are kept or will be.
        """
        with one_thread_each():
            return np.stack(list(in_parallel(lambda photo: self._whole(*photo, samples), photos, ahead=PHOTOS_AHEAD)))

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

    def files(self, image_id: str, samples: int) -> list[Path]:
        """Return the files that hold a photo's maps."""
        files = (self._framed_file, self._located_file)
        return [files[located](image_id, samples) for located in sorted(self._kinds(samples))]

    def _part(self, image_id: str, samples: int, *, located: bool) -> np.ndarray:
        file = self._located_file if located else self._framed_file
        return self._memory.read(file(image_id, samples))

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

    def _is_kept(self, image_id: str, samples: int) -> bool:
        if not _is_whole(self._framed_file(image_id, samples)):
            return False
        return True not in self._kinds(samples) or _is_whole(self._located_file(image_id, samples))

    def _compute(self, image_id: str, path: Path, samples: int, on_open: Callable[[str, Image.Image], None]) -> None:
        """Keep what is missing of a photo: the framed views, and from where the meter is on them the located ones."""
        image = self.preprocess.open(path)
        on_open(image_id, image)
        sources = _Sources(image, image_id, self.seed, as_it_is=len(self.preprocess.views))
        framed = self._framed_file(image_id, samples)
        if not _is_whole(framed):
            _keep(self._framed_maps(image_id, sources, samples), framed)
            self._memory.forget(framed)
            self._located_files.pop((image_id, samples), None)
        if True in self._kinds(samples) and not _is_whole(located := self._located_file(image_id, samples)):
            _keep(self._located_maps(image_id, sources, samples), located)
            self._memory.forget(located)

    def _framed_file(self, image_id: str, samples: int) -> Path:
        key = f"{self.backbone.name}-{self.backbone.weights_id}-{self.preprocess.framed_id}-{self.trunk.computed_by}"
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

    def _whole(self, image_id: str, path: Path, samples: int) -> np.ndarray:
        kept = self._framed_file(image_id, samples)
        if _is_whole(kept):
            return np.array(np.load(kept, mmap_mode="r")[0])
        image = self.preprocess.view(self.preprocess.open(path), self.preprocess.views[0])
        whole = self.trunk.maps(np.asarray(image)[None])[0]
        if self.trunk.sees_views_alone:
            self._wholes[image_id] = whole
        return whole

    def _framed_maps(self, image_id: str, sources: _Sources, samples: int) -> np.ndarray:
        views, numbers = self.preprocess.views, self._samples(samples, located=False)
        known = self._wholes.pop(image_id, None)
        left = numbers if known is None else numbers[1:]
        images = [self.preprocess.view(sources.of(sample), views[sample % len(views)]) for sample in left]
        parts = [] if known is None else [known[None]]
        return np.concatenate([*parts, self._through_trunk(images)] if images else parts)

    def _located_maps(self, image_id: str, sources: _Sources, samples: int) -> np.ndarray:
        views, places = self.preprocess.views, self._places(image_id, samples)
        images = [
            self.preprocess.located(sources.of(whole), views[sample % len(views)], places[whole])
            for sample in self._samples(samples, located=True)
            for whole in [self._first_of_round(sample)]
        ]
        return self._through_trunk(images)

    def _through_trunk(self, images: Sequence[Image.Image]) -> np.ndarray:
        return self.trunk.maps(np.stack([np.asarray(image) for image in images]))


class _Sources:
    """What the samples of a photo are cut from: the photo, and the photo augmented, each way once.

    Args:
        image: the photo.
        image_id: its name.
        seed: of the augmentation.
        as_it_is: samples, from the first, that show the photo as it is.
    """

    def __init__(self, image: Image.Image, image_id: str, seed: int, *, as_it_is: int) -> None:
        self._image, self._image_id, self._seed, self._as_it_is = image, image_id, seed, as_it_is
        self._small: Image.Image | None = None
        self._augmented: dict[int, Image.Image] = {}

    def of(self, sample: int) -> Image.Image:
        """Return what a sample is cut from."""
        if sample < self._as_it_is:
            return self._image
        if sample not in self._augmented:
            if self._small is None:
                self._small = at_working_size(self._image)
            self._augmented[sample] = augmented(self._small, self._image_id, sample, self._seed)
        return self._augmented[sample]


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
    parts = []
    with torch.inference_mode():
        for start in range(0, len(image_ids), PHOTOS_PER_PASS):
            maps = np.stack([cache.maps(name, samples, use=use) for name in image_ids[start : start + PHOTOS_PER_PASS]])
            outputs = block(block_input(maps.reshape(-1, *maps.shape[2:]), cache.device))
            parts.append(outputs.unflatten(0, maps.shape[:2]).cpu())
    return torch.cat(parts)


def block_input(maps: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return kept maps (samples x channels x ..., float16) as a last block takes them, float32."""
    batch = torch.from_numpy(maps).to(device).float()
    return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch


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
    """Write an output, and its checksum behind it, which readers of arrays pass over.

    It is not flushed to the disk: what a power failure leaves of it is damaged, and computed again.
    """
    buffer = io.BytesIO()
    np.save(buffer, maps)
    content = buffer.getvalue()
    write_bytes(path, content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES), flush=False)


@lru_cache(maxsize=KEPT_IN_MIND)
def _is_sound(path: Path, *_stamp: int) -> bool:
    content = path.read_bytes()
    kept, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    return bool(kept) and zlib.crc32(kept).to_bytes(CHECKSUM_BYTES) == checksum
