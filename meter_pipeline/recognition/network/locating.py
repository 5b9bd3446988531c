"""Where on a photo the meter is, found without boxes to learn from: one direction in the trunk's feature maps."""

from __future__ import annotations

import numpy as np

DECIMALS = 4
"""Of the direction, which is kept on the model's card."""

PLACE_DECIMALS = 2
"""Of a place, so that a direction learned anew from nearly the same photos leaves it on most of them."""

Place = tuple[float, float, float, float]
"""Where a meter is: its middle, from left and from top, and the standard deviation along both; shares of the sides."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


def fit_direction(maps: np.ndarray) -> tuple[float, ...]:
    """Learn what sets meters apart from what is around them (deep descriptor transform, Wei et al. 2019).

    The first principal component of the descriptors at all places of all photos tells print, displays and edges from
    plain walls; it points to what is in the middle of the photos rather than at their edges.

    Args:
        maps: feature maps of whole photos, photos x channels x height x width.

    Returns:
        A direction, one number per channel; empty if there is none: outputs without places, maps with channels last
        (as MambaOut gives), or maps that are all the same.
    """
    if maps.ndim != 4 or not len(maps) or not 3 <= min(maps.shape[2:]) <= max(maps.shape[2:]) <= maps.shape[1]:
        return ()
    channels = maps.shape[1]
    total, products, places = np.zeros(channels), np.zeros((channels, channels)), 0
    for photo in maps:
        points = photo.reshape(channels, -1).astype(np.float64)
        total, products, places = total + points.sum(axis=1), products + points @ points.T, places + points.shape[1]
    mean = total / places
    covariance = products / places - np.outer(mean, mean)
    if not np.isfinite(covariance).all() or np.trace(covariance) < 1e-9:
        return ()
    _, vectors = np.linalg.eigh(covariance)
    direction = vectors[:, -1]
    along = np.einsum("c,chw->hw", direction, maps.mean(axis=0, dtype=np.float64))
    middle = along[1:-1, 1:-1]
    if middle.mean() < (along.sum() - middle.sum()) / (along.size - middle.size):
        direction = -direction
    return tuple(float(value) for value in np.round(direction, DECIMALS))


def locate(photo_map: np.ndarray, direction: tuple[float, ...]) -> Place | None:
    """Return where on a photo the meter is; None if no place stands out.

    Args:
        photo_map: feature map of the whole photo, channels x height x width.
        direction: from `fit_direction`.
    """
    along = np.tensordot(np.asarray(direction), photo_map.astype(np.float64), axes=1)
    weight = np.maximum(along - along.mean(), 0.0)
    if not np.isfinite(weight).all() or weight.sum() < 1e-9:
        return None
    weight /= weight.sum()
    (x, wide), (y, high) = _mean_and_deviation(weight.sum(axis=0)), _mean_and_deviation(weight.sum(axis=1))
    x, y, wide, high = (round(value, PLACE_DECIMALS) for value in (x, y, wide, high))
    return (x, y, wide, high)


def square_around(place: Place, size: tuple[int, int], reach: float, smallest: float) -> Box:
    """Return the square around a meter, within the photo.

    Args:
        place: from `locate`.
        size: width and height of the photo in pixels.
        reach: half its side, in standard deviations of the place.
        smallest: its least side, as a share of the photo's shorter side.
    """
    (width, height), short = size, min(size)
    x, y, wide, high = place
    side = float(np.clip(2 * reach * max(wide * width, high * height), smallest * short, short))
    left, top = max(0.0, min(x * width - side / 2, width - side)), max(0.0, min(y * height - side / 2, height - side))
    return (left, top, min(left + side, width), min(top + side, height))


def _mean_and_deviation(weight: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of a place, as shares of the side that the weights lie along."""
    places = (np.arange(len(weight)) + 0.5) / len(weight)
    mean = float(weight @ places)
    return mean, float(np.sqrt(weight @ (places - mean) ** 2))
