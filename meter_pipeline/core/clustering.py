"""Groups of embeddings that look alike: L2-normalise, reduce, HDBSCAN, its parameters chosen by the size of the set."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field

import hdbscan
import numpy as np
from threadpoolctl import threadpool_limits

from meter_pipeline.core.cluster_metrics import silhouette
from meter_pipeline.core.reduction import reduce_umap
from meter_pipeline.errors import MeterError

log = logging.getLogger(__name__)

NOISE = -1
SMALLEST_REDUCED_SET = 15
"""Different photos below which a neighbour graph says nothing: these are clustered on their cosine distances."""
DIMENSIONS = 10
NEIGHBORS = 10
SMALLEST_CHOSEN, LARGEST_CHOSEN = 4, 50
"""Bounds of the smallest cluster that is chosen by set size."""
TINY_CLUSTER_SIZE = 3
GIANT_SHARE = 0.8
"""A cluster with more of the photos than this may only say that all show meters: its parts are looked at too."""
SAME_PHOTO_DECIMALS = 4
"""Unit embeddings that agree to this many decimals are one photo in several files."""

Parameters = dict[str, str | int | float]


@dataclass(frozen=True)
class Clustering:
    """Which photos belong together.

    Attributes:
        labels: photos; 0, 1, ... in order of falling size, -1 noise. Labels of this one clustering, not stable ids.
        membership: photos; HDBSCAN's probability, 0 to 1; 0 for noise.
        parameters: what was used, for the log and the UI (method, neighbors, dimensions, min_cluster_size, ...).
        note: why a fallback was taken; empty where none was.
    """

    labels: np.ndarray
    membership: np.ndarray
    parameters: Parameters = field(default_factory=dict)
    note: str = ""

    @property
    def count(self) -> int:
        """Number of clusters, noise left out."""
        return len(set(self.labels.tolist()) - {NOISE})


def cluster(embeddings: np.ndarray, *, min_cluster_size: int | None = None, seed: int = 0) -> Clustering:
    """Group embeddings; the same rows in the same order give the same output, bit for bit.

    Args:
        embeddings: photos x dimensions.
        min_cluster_size: smallest cluster, 2 or more; None: chosen by set size.
        seed: of the reduction.

    Raises:
        MeterError: an embedding holds NaN or infinity, or is all zeros; says how many are.
    """
    count = len(embeddings)
    if count == 0:
        return Clustering(np.zeros(0, np.int64), np.zeros(0), {"method": "none"}, "There are no UNKNOWN photos.")
    unit = _unit(embeddings)
    if min_cluster_size is not None and min_cluster_size > count:
        note = f"The smallest cluster is set to {min_cluster_size} photos and there are {count}: all are noise."
        return Clustering(np.full(count, NOISE), np.zeros(count), {"min_cluster_size": min_cluster_size}, note)
    # Sums are cut by thread: another number of threads gives other last bits, and those another layout.
    with threadpool_limits(1):
        different, copy_of, copies = different_photos(unit)
        size = min_cluster_size or chosen_cluster_size(len(different))
        if len(different) < SMALLEST_REDUCED_SET:
            labels, membership, parameters, note = _cluster_tiny(different, min_cluster_size)
        else:
            labels, membership, parameters, note = _cluster_reduced(different, size, seed)
        labels = _with_many_copies(labels, copies, int(parameters["min_cluster_size"]))
    membership = np.where(labels == NOISE, 0.0, np.where(membership == 0.0, 1.0, membership))
    labels, membership = _by_size(labels[copy_of]), membership[copy_of]
    if count > len(different):
        parameters["different_photos"] = len(different)
    if note:
        log.info("%s", note)
    return Clustering(labels, membership, parameters, note)


def chosen_cluster_size(count: int) -> int:
    """Return the smallest cluster for a set of `count` photos: a third of the root, 4 to 50."""
    return min(max(SMALLEST_CHOSEN, round(math.sqrt(count) / 3)), LARGEST_CHOSEN)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    broken = ~np.isfinite(embeddings).all(axis=1)
    lengths = np.linalg.norm(np.where(np.isfinite(embeddings), embeddings, 0.0).astype(np.float64), axis=1)
    empty = ~broken & (lengths == 0)
    if broken.any() or empty.any():
        first = int(np.flatnonzero(broken | empty)[0])
        raise MeterError(
            f"{broken.sum()} of {len(embeddings)} embeddings hold NaN or infinity and {empty.sum()} are all zeros "
            f"(the first is row {first}).",
            where="unknown_embeddings",
            fix="The model that made them is broken: look at its evaluation, and train again.",
        )
    return (embeddings / lengths[:, None]).astype(np.float32)


def different_photos(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take one of each set of equal embeddings, in order: thousands of copies would hide the other neighbours."""
    _, first, inverse, copies = np.unique(
        np.round(unit, SAME_PHOTO_DECIMALS) + 0.0, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return unit[first[order]], place[inverse.ravel()], copies[order]


def _cluster_reduced(unit: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray, Parameters, str]:
    neighbors = min(NEIGHBORS, len(unit) - 1)
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
    labels, membership = _hdbscan(reduced, size, samples, "eom")
    if (labels == NOISE).all():
        parameters["min_samples"] = 1
        labels, membership = _hdbscan(reduced, size, 1, "eom")
        if (labels == NOISE).all():
            return labels, membership, parameters, f"No {size} of the {len(unit)} photos look alike: all are noise."
        return labels, membership, parameters, "All photos were noise at first; clustered with min_samples 1."
    largest = np.bincount(labels[labels >= 0]).max() / len(labels)
    if largest > GIANT_SHARE:
        leaves, leaf_membership = _hdbscan(reduced, size, samples, "leaf")
        if silhouette(unit, leaves) > silhouette(unit, labels):
            parameters["selection"] = "leaf"
            note = f"One cluster held {largest:.0%} of the photos; its parts are further apart and were taken."
            return leaves, leaf_membership, parameters, note
    return labels, membership, parameters, ""


def _cluster_tiny(unit: np.ndarray, min_cluster_size: int | None) -> tuple[np.ndarray, np.ndarray, Parameters, str]:
    count = len(unit)
    size = min_cluster_size or TINY_CLUSTER_SIZE
    parameters: Parameters = {"method": "HDBSCAN on cosine distance", "min_cluster_size": size, "min_samples": 1}
    if count < max(size, 3):
        note = f"{count} different photos are too few to compare: noise, but for copies."
        return np.full(count, NOISE), np.zeros(count), parameters, note
    distances = np.maximum(1.0 - unit.astype(np.float64) @ unit.astype(np.float64).T, 0.0)
    np.fill_diagonal(distances, 0.0)
    labels, membership = _hdbscan(distances, size, 1, "eom", metric="precomputed")
    note = f"{count} different photos are too few for a reduction: clustered on their cosine distances."
    return labels, membership, parameters, note


def _hdbscan(
    points: np.ndarray, size: int, samples: int, selection: str, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """HDBSCAN (Campello, Moulavi and Sander 2013) by its reference implementation, with the exact spanning tree."""
    model = hdbscan.HDBSCAN(
        min_cluster_size=size,
        min_samples=samples,
        metric=metric,
        cluster_selection_method=selection,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    )
    labels = model.fit_predict(np.ascontiguousarray(points, np.float64))
    return labels.astype(np.int64), np.asarray(model.probabilities_, np.float64)


def _with_many_copies(labels: np.ndarray, copies: np.ndarray, size: int) -> np.ndarray:
    """Make a cluster of a photo that was noise among the different ones but has enough copies to be one."""
    labels = labels.copy()
    alone = np.flatnonzero((labels == NOISE) & (copies >= size))
    labels[alone] = labels.max(initial=NOISE) + 1 + np.arange(len(alone))
    return labels


def _by_size(labels: np.ndarray) -> np.ndarray:
    """Number the clusters by falling size, then by their first photo."""
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    is_cluster = found != NOISE
    found, first, counts = found[is_cluster], first[is_cluster], counts[is_cluster]
    order = np.lexsort((first, -counts))
    number = {int(found[place]): new for new, place in enumerate(order)}
    return np.array([number.get(int(label), NOISE) for label in labels], np.int64)
