"""Groups of different photos by density: UMAP, then HDBSCAN (Campello, Moulavi and Sander 2013), sized by the set.

Sets too small for a neighbour graph are grouped on their cosine distances. Of sets too large for one reduction, samples
are grouped, and the other photos join the nearest of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import hdbscan
import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from meter_pipeline.discovery.measures import silhouette
from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline.labels import NOISE

SMALLEST_REDUCED_SET = 15
"""Different photos below which a neighbour graph says nothing: these are grouped on their cosine distances."""
DIMENSIONS = 10
FEWEST_NEIGHBORS, MOST_NEIGHBORS = 4, 10
"""Bounds of the neighbours of a photo, itself included: in a small set ten reach into other designs (0009)."""
SMALLEST_CHOSEN, LARGEST_CHOSEN = 4, 50
"""Bounds of the smallest cluster that is chosen by set size."""
TINY_CLUSTER_SIZE = 3
GIANT_SHARE = 0.8
"""A cluster with more of the photos than this may only say that all show meters: its parts are looked at too."""

LARGEST_REDUCED = 40_000
"""Different photos that are reduced and grouped together; of more, samples of this many (times in 0009)."""
JOINING_DIMENSIONS, JOINING_QUANTILE = 64, 0.02
"""Principal components that joining compares, and the share of a cluster's own photos that would not join it."""
MOST_ROUNDS, LEFT_TO_ITSELF = 4, 0.02
"""Rounds of sampling what joined nothing, which finds designs too rare for the first; none for a smaller rest."""
_BLOCK_ROWS = 2048

Parameters = dict[str, str | int | float]
"""What a clustering was made with, by name; for the log and the UI."""


@dataclass(frozen=True)
class Groups:
    """Different photos in groups.

    Attributes:
        labels: the group of each photo, -1 for noise.
        membership: HDBSCAN's probability for each photo, 0 to 1.
        smallest: photos in the smallest cluster that was looked for.
        validity: see `clustering.Clustering`.
        parameters: what was used.
        note: why a fallback was taken; empty if there was no fallback.
    """

    labels: np.ndarray
    membership: np.ndarray
    smallest: int
    validity: float | None = None
    parameters: Parameters = field(default_factory=dict)
    note: str = ""


def group_by_density(unit: np.ndarray, *, min_cluster_size: int | None, seed: int) -> Groups:
    """Group different photos in the way that the size of the set asks for.

    Args:
        unit: photos x dimensions, L2-normalised, no two rows alike.
        min_cluster_size: smallest cluster, 2 or more; None: chosen by set size.
        seed: of the reduction and of the samples.
    """
    if len(unit) < SMALLEST_REDUCED_SET:
        return _group_few(unit, min_cluster_size or TINY_CLUSTER_SIZE)
    size = min_cluster_size or chosen_cluster_size(len(unit))
    if len(unit) <= LARGEST_REDUCED:
        return _group_reduced(unit, size, seed)
    return _group_samples(unit, size, seed)


def chosen_cluster_size(count: int) -> int:
    """Return the smallest cluster for a set of `count` photos: a third of the root, 4 to 50."""
    return min(max(SMALLEST_CHOSEN, round(math.sqrt(count) / 3)), LARGEST_CHOSEN)


def chosen_neighbors(count: int) -> int:
    """Return how many neighbours UMAP looks at, the photo itself included, in a set of 15 photos or more: 4 to 10."""
    return min(max(FEWEST_NEIGHBORS, round(0.7 * math.sqrt(count))), MOST_NEIGHBORS)


def _group_few(unit: np.ndarray, size: int) -> Groups:
    count = len(unit)
    parameters: Parameters = {"method": "HDBSCAN on cosine distance", "min_cluster_size": size, "min_samples": 1}
    if count < max(size, 3):
        note = f"{count} different photos are too few to compare: all are noise, except for copies."
        return Groups(np.full(count, NOISE), np.zeros(count), size, parameters=parameters, note=note)
    distances = np.maximum(1.0 - unit.astype(np.float64) @ unit.astype(np.float64).T, 0.0)
    np.fill_diagonal(distances, 0.0)
    note = f"{count} different photos are too few for a reduction: clustered on their cosine distances."
    return replace(_hdbscan(distances, size, 1, metric="precomputed"), parameters=parameters, note=note)


def _group_reduced(unit: np.ndarray, size: int, seed: int) -> Groups:
    neighbors = max(chosen_neighbors(len(unit)), min(size, MOST_NEIGHBORS))  # who asks for large clusters gets them
    samples = (size + 1) // 2
    reduced = reduce_umap(unit, dimensions=DIMENSIONS, neighbors=neighbors, seed=seed)
    parameters: Parameters = {
        "method": "UMAP + HDBSCAN",
        "neighbors": neighbors,
        "dimensions": DIMENSIONS,
        "min_cluster_size": size,
        "min_samples": samples,
        "selection": "eom",
        "seed": seed,
    }
    found = _hdbscan(reduced, size, samples)
    if (found.labels == NOISE).all():
        found = replace(_hdbscan(reduced, size, 1), parameters=parameters | {"min_samples": 1})
        if (found.labels == NOISE).all():
            return replace(found, note=f"No {size} of the {len(unit)} photos look alike: all are noise.")
        return replace(found, note="All photos were noise at first; clustered with min_samples 1.")
    largest = np.bincount(found.labels[found.labels >= 0]).max() / len(unit)
    if largest > GIANT_SHARE:
        leaves = _hdbscan(reduced, size, samples, selection="leaf")
        if silhouette(unit, leaves.labels) > silhouette(unit, found.labels):
            note = f"One cluster held {largest:.0%} of the photos; its parts are further apart and were taken."
            return replace(leaves, parameters=parameters | {"selection": "leaf"}, note=note)
    return replace(found, parameters=parameters)


def _group_samples(unit: np.ndarray, size: int, seed: int) -> Groups:
    """Group a sample, let the rest join, and do the same with the photos that joined nothing, some rounds."""
    labels, membership = np.full(len(unit), NOISE), np.zeros(len(unit))
    near = PCA(JOINING_DIMENSIONS, svd_solver="covariance_eigh").fit(unit[:: len(unit) // LARGEST_REDUCED])
    points = normalize(near.transform(unit)).astype(np.float32)
    parameters: Parameters = {}
    for round_ in range(MOST_ROUNDS):
        left = np.flatnonzero(labels == NOISE)
        if round_ and len(left) < LEFT_TO_ITSELF * len(unit):
            break
        sample = left
        if len(left) > LARGEST_REDUCED:
            sample = np.sort(np.random.default_rng([seed, round_]).choice(left, LARGEST_REDUCED, replace=False))
        found = _group_reduced(unit[sample], size, seed)
        parameters = parameters or found.parameters
        if (found.labels == NOISE).all():
            break
        first = labels.max() + 1
        labels[sample] = np.where(found.labels == NOISE, NOISE, found.labels + first)
        membership[sample] = found.membership
        others = np.setdiff1d(left, sample, assume_unique=True)
        joined, surety = _join(points[others], points[sample], found.labels)
        labels[others] = np.where(joined == NOISE, NOISE, joined + first)
        membership[others] = surety
    note = (
        f"{len(unit)} photos: samples of {LARGEST_REDUCED} were clustered, and the others joined the nearest of them."
    )
    return Groups(labels, membership, size, parameters=parameters | {"sample": LARGEST_REDUCED}, note=note)


def _join(points: np.ndarray, sample: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group of the nearest photo of the sample, if that is as near as such photos are to each other; and how near."""
    grouped = labels != NOISE
    inside, numbers = sample[grouped], labels[grouped]
    similarity, _ = _nearest(inside, inside, without_itself=True)
    lowest = np.array([np.quantile(similarity[numbers == number], JOINING_QUANTILE) for number in np.unique(numbers)])
    similarity, nearest = _nearest(points, inside)
    joined = numbers[nearest]
    fits = similarity >= lowest[joined]
    return np.where(fits, joined, NOISE), np.where(fits, np.clip(similarity, 0.0, 1.0), 0.0)


def _nearest(points: np.ndarray, others: np.ndarray, *, without_itself: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to the nearest of the others, and which that is; in blocks, as all pairs do not fit into memory."""
    similarity, nearest = np.empty(len(points)), np.empty(len(points), np.int64)
    for start in range(0, len(points), _BLOCK_ROWS):
        block = points[start : start + _BLOCK_ROWS] @ others.T
        rows = np.arange(len(block))
        if without_itself:
            block[rows, start + rows] = -np.inf
        nearest[start : start + len(block)] = block.argmax(axis=1)
        similarity[start : start + len(block)] = block[rows, nearest[start : start + len(block)]]
    return similarity, nearest


def _hdbscan(
    points: np.ndarray, size: int, samples: int, *, selection: str = "eom", metric: str = "euclidean"
) -> Groups:
    """HDBSCAN by its reference implementation, with the exact spanning tree."""
    model = hdbscan.HDBSCAN(
        min_cluster_size=size,
        min_samples=samples,
        metric=metric,
        cluster_selection_method=selection,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
        gen_min_span_tree=True,
    )
    labels = model.fit_predict(np.ascontiguousarray(points, np.float64))
    validity = float(model.relative_validity_) if labels.max(initial=NOISE) > 0 else None
    return Groups(labels.astype(np.int64), np.asarray(model.probabilities_, np.float64), size, validity)
