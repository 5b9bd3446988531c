"""The head that names photos: linear discriminant analysis of the tuned embeddings, in place of the trained head.

A few epochs show a trained head the five photos of a rare class too seldom: it hardly names new ones, and not surely.
What varies within classes is much the same for all of them and is learned from all photos, so that the place of a rare
class is all that its own photos have to tell (decision 0017; Kang et al., ICLR 2020, on heads for rare classes).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import softmax
from threadpoolctl import threadpool_limits
from torch import nn

from meter_pipeline.recognition.class_gaussians import ClassGaussians

MOST_SAMPLES = 20_000
"""Samples of photos beyond which augmented ones are left out: they do not sharpen the shape any more, and take memory.
"""
SURER = 1.25
"""How much larger its logits are than those that would be as sure as the trained head's: that was trained with mixup,
and is less sure of what it is right about. Measured at 1 to 2 (0017)."""
SMALLEST_SCALE, LARGEST_SCALE = 1e-9, 1.0
"""At 1 the analysis is as sure of new photos as of those that it was fitted to, and it is not that good."""


def samples_used(photos: int, *, views: int, samples: int) -> int:
    """Return how many samples of each photo the head is fitted to: its views at least, all if photos are few."""
    return min(samples, max(views, MOST_SAMPLES // max(photos, 1)))


def discriminant_head(trained: nn.Linear, outputs: np.ndarray, labels: np.ndarray, *, views: int) -> nn.Linear:
    """Return a head that tells the classes apart by discriminant analysis, about as sure as the trained one.

    Args:
        trained: the head that the embeddings were tuned with.
        outputs: tuned embeddings, not normalised, photos x samples x dimensions; the views come first.
        labels: class index of each photo; each class has a photo.
        views: samples that a photo is named by.

    Returns:
        The head, on the device of the trained one; the trained one itself where no photo differs from others of its
        class, so that nothing says what varies.
    """
    photos, samples, dimensions = outputs.shape
    gaussians = ClassGaussians.fit(outputs.reshape(photos * samples, dimensions), np.repeat(labels, samples))
    weights, bias = gaussians.discriminant()
    if not weights.any():
        return trained
    with threadpool_limits(1):  # another number of threads gives different last bits
        of_photos = outputs[:, :views].astype(np.float64).mean(axis=1)
        of_trained = of_photos @ _array(trained.weight).T + _array(trained.bias)
        scale = min(SURER * _scale_as_sure(of_photos @ weights.T + bias, _sureness(of_trained)), LARGEST_SCALE)
    head = nn.Linear(dimensions, len(weights))
    head.load_state_dict({"weight": torch.from_numpy(scale * weights), "bias": torch.from_numpy(scale * bias)})
    return head.to(trained.weight.device)


def _scale_as_sure(logits: np.ndarray, sureness: float) -> float:
    """Return the factor by which logits (photos x classes) have that mean confidence, as far as it is allowed."""
    if _sureness(LARGEST_SCALE * logits) <= sureness:
        return LARGEST_SCALE
    if _sureness(SMALLEST_SCALE * logits) >= sureness:
        return SMALLEST_SCALE
    found = brentq(
        lambda power: _sureness(np.exp(power) * logits) - sureness, np.log(SMALLEST_SCALE), np.log(LARGEST_SCALE)
    )
    return float(np.exp(found))


def _sureness(logits: np.ndarray) -> float:
    return float(softmax(logits, axis=1).max(axis=1).mean())


def _array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy().astype(np.float64)
