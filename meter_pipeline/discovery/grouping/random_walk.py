"""How much two photos belong to one neighbourhood: where a random walk from each comes to in a few steps.

A distance between two photos says little: designs differ in how much their photos vary. Photos of one design are tied
by many short paths through others of it, also where the two differ in light or distance (diffusion maps, Coifman and
Lafon 2006; with local scales, Zelnik-Manor and Perona 2004).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array

from meter_pipeline.discovery.grouping.neighbours import Neighbours
from meter_pipeline.discovery.grouping.sparse_products import product_of_at_least

STEPS_DOUBLED = 2
"""The walk has two to this power steps."""
SCALE_OF = 7
"""Which neighbour's distance is a photo's local scale; the farthest where there are fewer."""
LEAST_CHANCE = 0.001
"""Places that a walk comes to with less chance are left out, which bounds the places by 1,000."""


def first_step(neighbours: Neighbours, count: int) -> csr_array:
    """Return the chances of one step, photos x photos; each row adds up to 1.

    Args:
        neighbours: at least `SCALE_OF` of each photo, or all there are.
        count: neighbours of a photo that a step may lead to; it may lead back from any of them too, or stay.
    """
    photos = len(neighbours.rows)
    squared = np.maximum(2.0 - 2.0 * neighbours.similarity.astype(np.float64), 0.0)
    scale = np.sqrt(squared[:, min(SCALE_OF, squared.shape[1]) - 1]) + 1e-9
    to = neighbours.rows[:, :count]
    near = neighbours.similarity[:, :count]
    # A neighbour that has nothing in common with a photo is one only because the set holds no nearer.
    weights = np.exp(-squared[:, :count] / (scale[:, None] * scale[to])) * np.sqrt(np.maximum(near, 0.0))
    from_ = np.repeat(np.arange(photos), to.shape[1])
    one_way = csr_array((weights.ravel(), (from_, to.ravel())), shape=(photos, photos))
    return _adding_up_to_one(one_way.maximum(one_way.T) + eye_array(photos, format="csr"))


def step_between_clusters(step: csr_array, sizes: np.ndarray, clusters: np.ndarray) -> csr_array:
    """Return the chances of one step from a photo of each cluster to one of each other, clusters x clusters.

    Args:
        step: the chances between photos, or between the clusters that these clusters are made of.
        sizes: photos in each of them.
        clusters: the cluster of each.
    """
    join = csr_array((sizes, (clusters, np.arange(len(clusters)))))
    to = csr_array((np.ones(len(clusters)), (np.arange(len(clusters)), clusters)))
    return _adding_up_to_one(join @ step @ to)


def walk(step: csr_array) -> csr_array:
    """Return the square roots of the chances of a walk to be at each place, places x places; each row has length 1.

    The inner product of two rows is how much the two walks overlap (Bhattacharyya), 0 to 1.

    Args:
        step: chances of one step, places x places.
    """
    chances = step
    for _ in range(STEPS_DOUBLED):
        chances = product_of_at_least(chances, chances, LEAST_CHANCE)
    lost = np.diff(chances.indptr) == 0  # so many places that none has a chance: taken not to have left
    chances = _adding_up_to_one(chances + csr_array(diags_array(lost.astype(np.float64))))
    chances.data = np.sqrt(chances.data)
    chances.eliminate_zeros()
    chances.sort_indices()
    return chances


def _adding_up_to_one(weights: csr_array) -> csr_array:
    return csr_array(diags_array(1 / weights.sum(axis=1)) @ weights)
