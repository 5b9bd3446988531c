"""Groups of embeddings that look alike: L2-normalise, reduce, HDBSCAN, its parameters chosen by the size of the set."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import hdbscan
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.measures import silhouette
from meter_pipeline.discovery.parts import cut_into_parts
from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE

log = logging.getLogger(__name__)

SMALLEST_REDUCED_SET = 15
"""Different photos below which a neighbour graph says nothing: these are clustered on their cosine distances."""
DIMENSIONS = 10
FEWEST_NEIGHBORS, MOST_NEIGHBORS = 4, 10
"""Bounds of the neighbours of a photo, itself included: in a small set ten reach into other designs (0009)."""
SMALLEST_CHOSEN, LARGEST_CHOSEN = 4, 50
"""Bounds of the smallest cluster that is chosen by set size."""
TINY_CLUSTER_SIZE = 3

REDUCED = "UMAP + HDBSCAN"
"""Method of all but tiny sets."""
GIANT_SHARE = 0.8
"""A cluster with more of the photos than this may only say that all show meters: its parts are looked at too."""
SAME_PHOTO_DECIMALS = 4
"""Unit embeddings that agree to this many decimals are one photo in several files."""

LARGEST_REDUCED = 40_000
"""Different photos that are reduced and clustered together; of more, samples of so many (times in 0009)."""
JOINING_DIMENSIONS, JOINING_QUANTILE = 64, 0.02
"""Principal components that joining compares, and the share of a cluster's own photos that would not join it."""
MOST_ROUNDS, LEFT_TO_ITSELF = 4, 0.02
"""Rounds of sampling what joined nothing, which finds designs too rare for the first; none for a smaller rest."""
_BLOCK_ROWS = 2048

Parameters = dict[str, str | int | float]


class Cut(NamedTuple):
    """When a cluster is cut into two parts.

    Attributes:
        name: by what.
        min_silhouette: of the two parts.
        smallest: meters in a part.
        share: meters in a part, as a share of the smallest cluster's photos.
    """

    name: str
    min_silhouette: float
    smallest: int
    share: float


CUT_BY_EMBEDDING = Cut("embedding", 0.35, 3, 0.6)
"""Photos of one design reach 0.14 (0004)."""
CUT_BY_VIEWS = Cut("views", 0.18, 2, 0.4)
"""Where all the views have to show the parts (0014)."""


@dataclass(frozen=True)
class _Found:
    """Labels, probabilities and validity of one run of HDBSCAN."""

    labels: np.ndarray
    membership: np.ndarray
    validity: float | None


@dataclass(frozen=True)
class Clustering:
    """Which photos belong together.

    Attributes:
        labels: photos; 0, 1, ... in order of falling size, -1 noise. Labels of this one clustering, not stable ids.
        membership: photos; HDBSCAN's probability, 0 to 1; 0 for noise.
        parameters: what was used, for the log and the UI (method, neighbors, dimensions, min_cluster_size, ...).
        note: why a fallback was taken; empty where none was.
        validity: density-based cluster validity (DBCV, Moulavi et al. 2014, as HDBSCAN estimates it from its spanning
            tree), -1 to 1; None where there are fewer than two clusters.
    """

    labels: np.ndarray
    membership: np.ndarray
    parameters: Parameters = field(default_factory=dict)
    note: str = ""
    validity: float | None = None

    @property
    def count(self) -> int:
        """Number of clusters, noise left out."""
        return len(set(self.labels.tolist()) - {NOISE})


def cluster(
    embeddings: np.ndarray,
    *,
    views: Sequence[np.ndarray] = (),
    meters: np.ndarray | None = None,
    min_cluster_size: int | None = None,
    seed: int = 0,
) -> Clustering:
    """Group embeddings; the same rows in the same order give the same output, bit for bit.

    Args:
        embeddings: photos x dimensions.
        views: embeddings of single views of the photos, each photos x dimensions: the whole photo, and close up. Where
            they are given, clusters are cut by them, which tells designs apart that the embeddings do not.
        meters: id of the meter on each photo, the same for photos known to show one: parts are counted in meters.
        min_cluster_size: smallest cluster, 2 or more; None: chosen by set size.
        seed: of the reduction.

    Raises:
        MeterError: an embedding holds NaN or infinity, or is all zeros; says how many are.
    """
    count = len(embeddings)
    if {len(view) for view in views} - {count} or (meters is not None and len(meters) != count):
        raise ValueError("A view, or `meters`, is of another number of photos than the embeddings.")
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
            found, parameters, note = _cluster_tiny(different, min_cluster_size)
        elif len(different) <= LARGEST_REDUCED:
            found, parameters, note = _cluster_reduced(different, size, seed)
        else:
            found, parameters, note = _cluster_large(different, size, seed)
        if parameters["method"] == REDUCED:
            first = np.unique(copy_of, return_index=True)[1]
            cut = CUT_BY_VIEWS if len(views) else CUT_BY_EMBEDDING
            parts = cut_into_parts(
                [_unit(view)[first] for view in views] or [different],
                found.labels,
                smallest=min_cluster_size or max(cut.smallest, round(cut.share * size)),
                min_silhouette=cut.min_silhouette,
                meters=(np.arange(count) if meters is None else meters)[first],
            )
            parameters["cut"] = len(set(parts.tolist())) - len(set(found.labels.tolist()))
            parameters["cut_by"] = cut.name
            found = replace(found, labels=parts)
        labels = _with_many_copies(found.labels, copies, int(parameters["min_cluster_size"]))
    membership = found.membership
    membership = np.where(labels == NOISE, 0.0, np.where(membership == 0.0, 1.0, membership))
    labels, membership = _by_size(labels[copy_of]), membership[copy_of]
    if count > len(different):
        parameters["different_photos"] = len(different)
    if note:
        log.info("%s", note)
    return Clustering(labels, membership, parameters, note, found.validity)


def chosen_cluster_size(count: int) -> int:
    """Return the smallest cluster for a set of `count` photos: a third of the root, 4 to 50."""
    return min(max(SMALLEST_CHOSEN, round(math.sqrt(count) / 3)), LARGEST_CHOSEN)


def chosen_neighbors(count: int) -> int:
    """Return how many neighbours UMAP looks at, the photo itself included, in a set of 15 photos or more: 4 to 10."""
    return min(max(FEWEST_NEIGHBORS, round(0.7 * math.sqrt(count))), MOST_NEIGHBORS)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    unit = np.zeros(embeddings.shape, np.float32)
    broken, empty = np.zeros(len(unit), bool), np.zeros(len(unit), bool)
    for start in range(0, len(unit), _BLOCK_ROWS):  # in double precision a million photos would not fit
        rows = slice(start, start + _BLOCK_ROWS)
        block = embeddings[rows].astype(np.float64)
        broken[rows] = ~np.isfinite(block).all(axis=1)
        lengths = np.linalg.norm(np.where(broken[rows, None], 0.0, block), axis=1, keepdims=True)
        empty[rows] = ~broken[rows] & (lengths[:, 0] == 0)
        unit[rows] = block / np.where(lengths == 0, 1.0, lengths)
    if broken.any() or empty.any():
        first = int(np.flatnonzero(broken | empty)[0])
        raise MeterError(
            f"{broken.sum()} of {len(embeddings)} embeddings hold NaN or infinity and {empty.sum()} are all zeros "
            f"(the first is row {first}).",
            where="unknown_embeddings",
            fix="The model that made them is broken: look at its evaluation, and train again.",
        )
    return unit


def different_photos(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take one of each set of equal embeddings, in order: thousands of copies would hide the other neighbours.

    Args:
        unit: photos x dimensions, L2-normalised.

    Returns:
        The different embeddings (`unit` itself where all are: not to be changed); which of them each photo is; how many
        photos each is.
    """
    scale = 10.0**SAME_PHOTO_DECIMALS
    codes = pd.factorize(np.array([_digest(np.rint(row * scale)) for row in unit], np.int64))[0]
    _, first, copies = np.unique(codes, return_index=True, return_counts=True)
    return unit if len(first) == len(unit) else unit[first], codes, copies  # a million photos are not copied in vain


def _digest(row: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(row.astype(np.int16).tobytes(), digest_size=8).digest(), "big", signed=True)


def _cluster_reduced(unit: np.ndarray, size: int, seed: int) -> tuple[_Found, Parameters, str]:
    neighbors = max(chosen_neighbors(len(unit)), min(size, MOST_NEIGHBORS))  # who asks for large clusters gets them
    samples = (size + 1) // 2
    reduced = reduce_umap(unit, dimensions=DIMENSIONS, neighbors=neighbors, seed=seed)
    parameters: Parameters = {
        "method": REDUCED,
        "neighbors": neighbors,
        "dimensions": DIMENSIONS,
        "min_cluster_size": size,
        "min_samples": samples,
        "selection": "eom",
        "seed": seed,
    }
    found = _hdbscan(reduced, size, samples, "eom")
    if (found.labels == NOISE).all():
        parameters["min_samples"] = 1
        found = _hdbscan(reduced, size, 1, "eom")
        if (found.labels == NOISE).all():
            return found, parameters, f"No {size} of the {len(unit)} photos look alike: all are noise."
        return found, parameters, "All photos were noise at first; clustered with min_samples 1."
    largest = np.bincount(found.labels[found.labels >= 0]).max() / len(unit)
    if largest > GIANT_SHARE:
        leaves = _hdbscan(reduced, size, samples, "leaf")
        if silhouette(unit, leaves.labels) > silhouette(unit, found.labels):
            parameters["selection"] = "leaf"
            note = f"One cluster held {largest:.0%} of the photos; its parts are further apart and were taken."
            return leaves, parameters, note
    return found, parameters, ""


def _cluster_large(unit: np.ndarray, size: int, seed: int) -> tuple[_Found, Parameters, str]:
    """Cluster a sample, let the rest join, and do the same with the photos that joined nothing, some rounds."""
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
        found, of_sample, _ = _cluster_reduced(unit[sample], size, seed)
        parameters = parameters or of_sample
        if (found.labels == NOISE).all():
            break
        first = labels.max() + 1
        labels[sample] = np.where(found.labels == NOISE, NOISE, found.labels + first)
        membership[sample] = found.membership
        others = np.setdiff1d(left, sample, assume_unique=True)
        joined, surety = _join(points[others], points[sample], found.labels)
        labels[others] = np.where(joined == NOISE, NOISE, joined + first)
        membership[others] = surety
    parameters |= {"sample": LARGEST_REDUCED}
    note = (
        f"{len(unit)} photos: samples of {LARGEST_REDUCED} were clustered, and the others joined the nearest of them."
    )
    return _Found(labels, membership, None), parameters, note


def _join(points: np.ndarray, sample: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cluster of the nearest photo of the sample, if that is as near as such photos are to each other; and how near."""
    clustered = labels != NOISE
    inside, numbers = sample[clustered], labels[clustered]
    similarity, _ = _nearest(inside, inside, without_itself=True)
    lowest = np.array([np.quantile(similarity[numbers == number], JOINING_QUANTILE) for number in np.unique(numbers)])
    similarity, nearest = _nearest(points, inside)
    joined = numbers[nearest]
    fits = similarity >= lowest[joined]
    return np.where(fits, joined, NOISE), np.where(fits, np.clip(similarity, 0.0, 1.0), 0.0)


def _nearest(points: np.ndarray, others: np.ndarray, *, without_itself: bool = False) -> tuple[np.ndarray, np.ndarray]:
    similarity, nearest = np.empty(len(points)), np.empty(len(points), np.int64)
    for start in range(0, len(points), _BLOCK_ROWS):
        block = points[start : start + _BLOCK_ROWS] @ others.T
        rows = np.arange(len(block))
        if without_itself:
            block[rows, start + rows] = -np.inf
        nearest[start : start + len(block)] = block.argmax(axis=1)
        similarity[start : start + len(block)] = block[rows, nearest[start : start + len(block)]]
    return similarity, nearest


def _cluster_tiny(unit: np.ndarray, min_cluster_size: int | None) -> tuple[_Found, Parameters, str]:
    count = len(unit)
    size = min_cluster_size or TINY_CLUSTER_SIZE
    parameters: Parameters = {"method": "HDBSCAN on cosine distance", "min_cluster_size": size, "min_samples": 1}
    if count < max(size, 3):
        note = f"{count} different photos are too few to compare: noise, but for copies."
        return _Found(np.full(count, NOISE), np.zeros(count), None), parameters, note
    distances = np.maximum(1.0 - unit.astype(np.float64) @ unit.astype(np.float64).T, 0.0)
    np.fill_diagonal(distances, 0.0)
    found = _hdbscan(distances, size, 1, "eom", metric="precomputed")
    note = f"{count} different photos are too few for a reduction: clustered on their cosine distances."
    return found, parameters, note


def _hdbscan(points: np.ndarray, size: int, samples: int, selection: str, metric: str = "euclidean") -> _Found:
    """HDBSCAN (Campello, Moulavi and Sander 2013) by its reference implementation, with the exact spanning tree."""
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
    return _Found(labels.astype(np.int64), np.asarray(model.probabilities_, np.float64), validity)


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
