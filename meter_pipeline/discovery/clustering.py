"""Groups of embeddings that look alike: L2-normalised, copies put aside, grouped by density, cut where parts differ."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from meter_pipeline.discovery.density import SMALLEST_REDUCED_SET, Groups, Parameters, group_by_density
from meter_pipeline.discovery.parts import CUT_BY_EMBEDDING, CUT_BY_VIEWS, cut_into_parts
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import NOISE

_logger = logging.getLogger(__name__)

SAME_PHOTO_DECIMALS = 4
"""Unit embeddings that agree to this many decimals are one photo in several files."""
_BLOCK_ROWS = 2048


@dataclass(frozen=True)
class Clustering:
    """Which photos belong together.

    Attributes:
        labels: the cluster of each photo: 0, 1, ... in order of falling size, -1 for noise. Labels of this one
            clustering, not stable ids.
        membership: HDBSCAN's probability for each photo, 0 to 1; 0 for noise.
        parameters: what was used, for the log and the UI (method, neighbors, dimensions, min_cluster_size, ...).
        note: why a fallback was taken; empty if there was no fallback.
        validity: density-based cluster validity (DBCV, Moulavi et al. 2014, as HDBSCAN estimates it from its spanning
            tree), -1 to 1; None if there are fewer than two clusters.
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


@dataclass(frozen=True)
class DifferentPhotos:
    """One of each set of equal embeddings: thousands of copies would hide the other neighbours.

    Attributes:
        unit: the different embeddings, in order of their first photos; not to be changed, as it may be the original.
        which: which of them each photo is.
        first: the first photo of each.
        copies: how many photos each is.
    """

    unit: np.ndarray
    which: np.ndarray
    first: np.ndarray
    copies: np.ndarray


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
        ValueError: a view, or `meters`, has a different number of photos from the embeddings.
    """
    count = len(embeddings)
    if {len(view) for view in views} - {count} or (meters is not None and len(meters) != count):
        raise ValueError("A view, or `meters`, has a different number of photos from the embeddings.")
    if count == 0:
        return Clustering(np.zeros(0, np.int64), np.zeros(0), {"method": "none"}, "There are no UNKNOWN photos.")
    unit = _unit(embeddings)
    if min_cluster_size is not None and min_cluster_size > count:
        note = f"The smallest cluster is set to {min_cluster_size} photos and there are {count}: all are noise."
        return Clustering(np.full(count, NOISE), np.zeros(count), {"min_cluster_size": min_cluster_size}, note)
    # Sums are cut by thread: another number of threads gives different last bits, and those a different layout.
    with threadpool_limits(1):
        different = different_photos(unit)
        groups = group_by_density(different.unit, min_cluster_size=min_cluster_size, seed=seed)
        labels, parameters = groups.labels, dict(groups.parameters)
        if len(different.unit) >= SMALLEST_REDUCED_SET:
            ids = np.arange(count) if meters is None else meters
            labels, cut = _cut(groups, different, [_unit(view) for view in views], ids, min_cluster_size)
            parameters |= cut
        labels = _with_many_copies(labels, different.copies, groups.smallest)
    membership = np.where(groups.membership == 0.0, 1.0, groups.membership)
    membership = np.where(labels == NOISE, 0.0, membership)
    if count > len(different.unit):
        parameters["different_photos"] = len(different.unit)
    if groups.note:
        _logger.info("%s", groups.note)
    which = different.which
    return Clustering(_by_size(labels[which]), membership[which], parameters, groups.note, groups.validity)


def different_photos(unit: np.ndarray) -> DifferentPhotos:
    """Take one of each set of equal embeddings, in order.

    Args:
        unit: photos x dimensions, L2-normalised.
    """
    scale = 10.0**SAME_PHOTO_DECIMALS
    which = pd.factorize(np.array([_digest(np.rint(row * scale)) for row in unit], np.int64))[0]
    _, first, copies = np.unique(which, return_index=True, return_counts=True)
    different = unit if len(first) == len(unit) else unit[first]  # a million photos are not copied in vain
    return DifferentPhotos(different, which, first, copies)


def _digest(row: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(row.astype(np.int16).tobytes(), digest_size=8).digest(), "big", signed=True)


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


def _cut(
    groups: Groups,
    different: DifferentPhotos,
    views: Sequence[np.ndarray],
    meters: np.ndarray,
    min_cluster_size: int | None,
) -> tuple[np.ndarray, Parameters]:
    """Labels of the different photos with clusters cut into their parts, and what to say about it."""
    cut = CUT_BY_VIEWS if views else CUT_BY_EMBEDDING
    labels = cut_into_parts(
        [view[different.first] for view in views] or [different.unit],
        groups.labels,
        smallest=min_cluster_size or cut.smallest_part(groups.smallest),
        min_silhouette=cut.min_silhouette,
        meters=meters[different.first],
    )
    more = len(set(labels.tolist())) - len(set(groups.labels.tolist()))
    return labels, {"cut": more, "cut_by": cut.name}


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
