"""Does a photo show a meter at all? Learned from the user's own labelled photos; tells junk from new designs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 3
"""Nearest labelled photos whose similarities are averaged."""
METERS_REFUSED = 0.01
"""Share of the labelled photos that would be refused if their class were not known; measured in 0009."""
LARGEST_REFERENCE = 5000
"""Most labelled photos that are kept to compare with; each is compared with each once."""
FEWEST_FOR_THRESHOLD = 20
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class MeterLikeness:
    """What meters look like to the pretrained network.

    Attributes:
        reference: L2-normalised pretrained embeddings of labelled photos, photos x dimensions.
        threshold: similarity below which a photo is taken for something other than a meter, -1 to 1.
    """

    reference: np.ndarray
    threshold: float

    def similarity(self, unit: np.ndarray) -> np.ndarray:
        """Return the mean cosine similarity of each photo to the nearest labelled photos.

        Args:
            unit: L2-normalised pretrained embeddings, photos x dimensions.
        """
        blocks = [unit[start : start + _BLOCK_ROWS] for start in range(0, len(unit), _BLOCK_ROWS)]
        return np.concatenate([np.zeros(0), *(_nearest(block @ self.reference.T) for block in blocks)])

    def looks_like_a_meter(self, unit: np.ndarray) -> np.ndarray:
        """Return whether each photo is as near to labelled photos as a meter of an unknown design would be."""
        return self.similarity(unit) >= self.threshold


def learn_meters(reference: np.ndarray, labels: np.ndarray) -> MeterLikeness | None:
    """Choose the threshold from the labelled photos alone.

    Each is compared with those of the *other* classes: that is how near a design that nobody has labelled yet lies.

    Args:
        reference: L2-normalised pretrained embeddings of labelled photos, photos x dimensions.
        labels: the class of each.

    Returns:
        None if there are fewer than two classes or too few photos to choose a threshold.
    """
    if len(reference) > LARGEST_REFERENCE:
        by_class = np.argsort(labels, kind="stable")
        chosen = by_class[np.linspace(0, len(by_class) - 1, LARGEST_REFERENCE).astype(np.int64)]
        reference, labels = reference[chosen], labels[chosen]
    if len(reference) < FEWEST_FOR_THRESHOLD or len(np.unique(labels)) < 2:
        return None
    similarity = reference @ reference.T
    similarity[labels[:, None] == labels[None, :]] = -np.inf
    return MeterLikeness(reference, float(np.quantile(_nearest(similarity), METERS_REFUSED, method="lower")))


def _nearest(similarity: np.ndarray) -> np.ndarray:
    """Mean of the highest similarities of each row; where another class has fewer photos, of those."""
    count = min(NEIGHBOURS, similarity.shape[1])
    highest = np.partition(similarity, -count, axis=1)[:, -count:].astype(np.float64)
    usable = np.isfinite(highest)
    return np.where(usable, highest, 0.0).sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
