"""How many photos a class needs until its known photos are flagged no more often than the guard promises."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression


@dataclass(frozen=True)
class PhotosNeeded:
    """From how many train photos on a class keeps the guard's promise, as far as the held-out photos tell.

    Attributes:
        photos: train photos that a class needs; None: more than any class that photos were held out of.
        flagged_below: share of the held-out known photos of classes with fewer that are flagged, 0 to 1; None if there
            are none.
    """

    photos: int | None
    flagged_below: float | None

    @classmethod
    def of(cls, class_photos: np.ndarray, flagged: np.ndarray, promised: float) -> PhotosNeeded:
        """Find it from known photos that were held out, one entry per photo, at least one.

        The share that is flagged is taken to fall as classes grow (isotonic regression): classes of one size are too
        few to tell anything by themselves. Where photos are few, none flagged says little: the share that counts is
        that with one more photo flagged and one more not (Laplace's rule of succession).

        Args:
            class_photos: train photos of each photo's class.
            flagged: whether the photo is flagged, by the guard or by the softmax rule.
            promised: share of known photos that may be flagged, 0 to 1.
        """
        order = np.argsort(class_photos, kind="stable")
        sizes, starts, counts = np.unique(class_photos[order], return_index=True, return_counts=True)
        flagged_of = np.add.reduceat(flagged[order].astype(np.int64), starts)
        blocks = isotonic_regression(flagged_of / counts, weights=counts, increasing=False).blocks
        shares = [
            (flagged_of[first:last].sum() + 1) / (counts[first:last].sum() + 2) for first, last in pairwise(blocks)
        ]
        keeping = [first for first, share in zip(blocks, shares, strict=False) if share <= promised]
        photos = int(sizes[keeping[0]]) if keeping else None
        below = flagged if photos is None else flagged[class_photos < photos]
        return cls(photos, float(below.mean()) if len(below) else None)

    def is_met_by(self, photos: int) -> bool:
        """Return whether a class with so many train photos has enough of them."""
        return self.photos is not None and photos >= self.photos
