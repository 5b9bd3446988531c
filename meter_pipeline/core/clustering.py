"""Groups of embeddings that look alike: L2-normalise, reduce, HDBSCAN, with parameters chosen by the size of the set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NOISE = -1


@dataclass(frozen=True)
class Clustering:
    """Which photos belong together.

    Attributes:
        labels: photos; 0, 1, ... in order of falling size, -1 noise. Labels of this one clustering, not stable ids.
        membership: photos; HDBSCAN's probability, 0 to 1; 0 for noise.
        parameters: what was used, for the log and the UI (method, n_neighbors, dimensions, min_cluster_size, ...).
        note: why a fallback was taken; empty where none was.
    """

    labels: np.ndarray
    membership: np.ndarray
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    note: str = ""

    @property
    def count(self) -> int:
        """Number of clusters, noise left out."""
        return len(set(self.labels.tolist()) - {NOISE})


def cluster(embeddings: np.ndarray, *, min_cluster_size: int | None = None, seed: int = 0) -> Clustering:
    """Group embeddings; the same input gives the same output, bit for bit, on the same machine.

    Args:
        embeddings: photos x dimensions.
        min_cluster_size: smallest cluster; None: chosen by set size.
        seed: of the reduction.

    Raises:
        MeterError: an embedding holds NaN or infinity; says how many do.
    """
    raise NotImplementedError
