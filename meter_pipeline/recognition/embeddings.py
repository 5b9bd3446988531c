"""What photos are compared by: one row per photo of embeddings, colours and print, under one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from meter_pipeline.recognition.colours import COLOURS
from meter_pipeline.recognition.plate_reading import nothing_read


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Photos as one model and the plate reader see them, one row per photo.

    Attributes:
        tuned: embeddings after fine-tuning, photos x dimensions, float32.
        pretrained: embeddings before fine-tuning, photos x dimensions, float32.
        colours: share of each colour in the photo's middle (`colours.colour_shares`), photos x colours, float32.
        printed: what was read on the plates (`plate_reading.plate_codes`), photos x codes, int32; nothing where the
            model does not ask for it.
    """

    tuned: np.ndarray
    pretrained: np.ndarray
    colours: np.ndarray
    printed: np.ndarray

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.tuned)

    @classmethod
    def empty(cls, dimensions: int) -> Self:
        """Return embeddings of no photos."""
        nothing = np.zeros((0, dimensions), np.float32)
        return cls(
            tuned=nothing, pretrained=nothing, colours=np.zeros((0, COLOURS), np.float32), printed=nothing_read(0)
        )

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one part after the other; there is at least one."""
        return cls(
            tuned=np.concatenate([part.tuned for part in parts]),
            pretrained=np.concatenate([part.pretrained for part in parts]),
            colours=np.concatenate([part.colours for part in parts]),
            printed=np.concatenate([part.printed for part in parts]),
        )

    def take(self, rows: np.ndarray) -> Self:
        """Return some of the photos, by row numbers or by a mask."""
        return replace(
            self,
            tuned=self.tuned[rows],
            pretrained=self.pretrained[rows],
            colours=self.colours[rows],
            printed=self.printed[rows],
        )

    def normalised(self) -> Self:
        """Return the same photos with embeddings of length 1; a zero vector stays zero."""
        return replace(self, tuned=normalised(self.tuned), pretrained=normalised(self.pretrained))


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings (photos x dimensions) of length 1, float32; a zero vector stays zero."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.maximum(length, 1e-12)).astype(np.float32)


def side_by_side(tuned: np.ndarray, pretrained: np.ndarray) -> np.ndarray:
    """Return both embeddings of each photo in one row, photos x twice the dimensions."""
    return np.concatenate([tuned, pretrained], axis=1)
