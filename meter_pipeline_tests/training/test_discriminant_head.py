"""The head that names photos: rare classes are named as well as common ones, as surely as by the head before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from threadpoolctl import threadpool_limits
from torch import nn

from meter_pipeline.training.discriminant_head import MOST_SAMPLES, SURER, discriminant_head, samples_used

CLASSES, DIMENSIONS, VIEWS = 5, 24, 3
CENTRES = np.random.default_rng(0).normal(size=(CLASSES, DIMENSIONS))
WIDTHS = np.where(np.arange(DIMENSIONS) < 4, 4.0, 0.5)
"""In the first directions photos of any class vary so widely that they say nothing of the class."""


def outputs(counts: list[int], seed: int, samples: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of photos, each in some samples, and their classes."""
    random, labels = np.random.default_rng(seed), np.repeat(np.arange(len(counts)), counts)
    of_photos = CENTRES[labels] + WIDTHS * random.normal(size=(len(labels), DIMENSIONS))
    of_samples = of_photos[:, None] + 0.2 * random.normal(size=(len(labels), samples, DIMENSIONS))
    return of_samples.astype(np.float32), labels


def trained_head(sureness: float = 3.0) -> nn.Linear:
    """Return a head that never saw the last class, as a trained one that hardly did."""
    head = nn.Linear(DIMENSIONS, CLASSES)
    weights = torch.from_numpy(sureness * CENTRES / DIMENSIONS).float()
    weights[-1] = 0
    head.load_state_dict({"weight": weights, "bias": torch.zeros(CLASSES)})
    return head


def answers(head: nn.Linear, photos: np.ndarray) -> np.ndarray:
    """Return logits from the views of each photo."""
    with torch.inference_mode():
        return head(torch.from_numpy(photos[:, :VIEWS])).mean(dim=1).numpy()


def test_new_photos_of_a_class_of_four_are_named() -> None:
    train, labels = outputs([60, 60, 60, 60, 4], 1)
    new, classes = outputs([40] * CLASSES, 2)
    trained, fitted = trained_head(), discriminant_head(trained_head(), train, labels, views=VIEWS)
    right = {name: answers(head, new).argmax(1) == classes for name, head in (("trained", trained), ("fitted", fitted))}
    assert right["trained"][classes == CLASSES - 1].mean() < 0.5
    assert right["fitted"][classes == CLASSES - 1].mean() > 0.9
    assert right["fitted"].mean() > 0.95


def test_but_for_a_factor_it_is_as_sure_of_its_photos_as_the_trained_head() -> None:
    train, labels = outputs([30] * CLASSES, 1)
    for sureness in (1.0, 4.0):
        trained = trained_head(sureness)
        fitted = discriminant_head(trained, train, labels, views=VIEWS)
        of_trained = softmax(answers(trained, train), axis=1).max(axis=1)
        of_fitted = softmax(answers(fitted, train) / SURER, axis=1).max(axis=1)
        assert of_fitted.mean() == pytest.approx(of_trained.mean(), abs=1e-4)


def test_it_is_never_surer_than_the_analysis_itself() -> None:
    """A head may be sure of photos that nothing tells apart; logits must not grow without end to follow it."""
    photo, labels = np.random.default_rng(3).normal(size=(1, 6, DIMENSIONS)), np.array([0, 1, 1])
    noise = 0.1 * np.random.default_rng(4).normal(size=(1, 6, DIMENSIONS))
    train = np.concatenate([photo, photo, photo + noise]).astype(np.float32)
    sure = nn.Linear(DIMENSIONS, 2)
    sure.load_state_dict({"weight": torch.zeros(2, DIMENSIONS), "bias": torch.tensor([50.0, 0.0])})
    assert np.abs(answers(discriminant_head(sure, train, labels, views=VIEWS), train)).max() < 100


def test_classes_of_one_photo_and_photos_that_are_all_alike_give_a_head_that_answers() -> None:
    train, labels = outputs([1] * CLASSES, 1)
    head = discriminant_head(trained_head(), train, labels, views=VIEWS)
    assert (answers(head, train).argmax(1) == labels).all()
    alike = np.ones((4, 6, DIMENSIONS), np.float32)
    trained = trained_head()
    assert discriminant_head(trained, alike, np.array([0, 1, 2, 3]), views=VIEWS) is trained


def test_the_same_bits_with_any_number_of_threads() -> None:
    train, labels = outputs([20] * CLASSES, 1)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(discriminant_head(trained_head(), train, labels, views=VIEWS).weight.detach().numpy())
    assert found[0].tobytes() == found[1].tobytes()


def test_many_photos_are_looked_at_in_fewer_samples_but_all_their_views() -> None:
    assert samples_used(100, views=VIEWS, samples=12) == 12
    assert samples_used(MOST_SAMPLES // 6, views=VIEWS, samples=12) == 6
    assert samples_used(10 * MOST_SAMPLES, views=VIEWS, samples=12) == VIEWS
    assert samples_used(0, views=VIEWS, samples=12) == 12
