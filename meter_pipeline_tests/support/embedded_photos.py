"""Photos that need no network: points around class centres, with the logits, colours and print that go with them."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from meter_pipeline.recognition.colours import COLOURS
from meter_pipeline.recognition.embeddings import Embeddings, normalised
from meter_pipeline.recognition.guard import Guard
from meter_pipeline.recognition.plate_reading import codes_of, nothing_read
from meter_pipeline.recognition.scores import Known, Seen

CLASSES, STRANGE_CLASSES, DIMENSIONS = 8, 6, 32
SPREAD = 0.12
"""Standard deviation of a photo around its class's centre, in each dimension."""


def centres(count: int, seed: int) -> np.ndarray:
    """Return centres of classes, one row per class."""
    return normalised(np.random.default_rng(seed).normal(size=(count, DIMENSIONS)))


KNOWN_CENTRES, STRANGE_CENTRES = centres(CLASSES, 0), centres(STRANGE_CLASSES, 99)


def photos(of: np.ndarray, each: int, seed: int, spread: float = SPREAD) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of `each` photos around every centre, and the centre's number for each photo."""
    labels = np.repeat(np.arange(len(of)), each)
    noise = np.random.default_rng(seed).normal(scale=spread, size=(len(labels), DIMENSIONS))
    return normalised(of[labels] + noise), labels


def embeddings_of(
    tuned: np.ndarray, *, pretrained: np.ndarray | None = None, printed: np.ndarray | None = None
) -> Embeddings:
    """Return photos by their embeddings; alike photos have colours alike.

    Args:
        tuned: embeddings after fine-tuning.
        pretrained: before fine-tuning; None: the same.
        printed: codes of what was read on the plates; None: nothing was read.
    """
    colours = np.zeros((len(tuned), COLOURS), np.float32)
    width = min(COLOURS, tuned.shape[1])
    colours[:, :width] = softmax(3 * tuned[:, :width], axis=1)
    return Embeddings(
        tuned=tuned,
        pretrained=tuned if pretrained is None else pretrained,
        colours=colours,
        printed=nothing_read(len(tuned)) if printed is None else printed,
    )


def seen(
    tuned: np.ndarray,
    known_centres: np.ndarray = KNOWN_CENTRES,
    sureness: float = 12.0,
    *,
    printed: np.ndarray | None = None,
) -> Seen:
    """Return photos to be scored; the nearer a centre, the higher its logit."""
    return Seen(logits=sureness * tuned @ known_centres.T, embeddings=embeddings_of(tuned, printed=printed))


def known_photos(
    labels: np.ndarray,
    *,
    tuned: np.ndarray,
    pretrained: np.ndarray | None = None,
    printed: np.ndarray | None = None,
) -> Known:
    """Return photos to compare with, none of which is another one's near-duplicate."""
    embeddings = embeddings_of(tuned, pretrained=pretrained, printed=printed)
    return Known(labels=labels, groups=np.arange(len(labels)), embeddings=embeddings)


def train_photos(each: int = 20, seed: int = 1, *, printed: np.ndarray | None = None) -> Known:
    """Return photos of the known classes to compare with."""
    embeddings, labels = photos(KNOWN_CENTRES, each, seed)
    return known_photos(labels, tuned=embeddings, printed=printed)


def plates(designs: np.ndarray) -> np.ndarray:
    """Return codes of the print of designs, by number: each has a word of its own."""
    letters = np.random.default_rng(0).integers(0, 26, (CLASSES + STRANGE_CLASSES, 15))
    words = ["".join(chr(ord("A") + letter) for letter in row) for row in letters]
    return np.stack([codes_of([(words[design], 1.0)]) for design in designs])


def guard_scores(guard: Guard, photos_seen: Seen, known: Known) -> np.ndarray:
    """Return what a guard adds up for each photo."""
    return guard.deviations(photos_seen, known).sum(axis=0)
