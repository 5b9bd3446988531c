"""What a model trained like this one says of photos and of classes it was not shown: folds that hide both in turn."""

from __future__ import annotations

import logging
import shutil
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from meter_pipeline.recognition.network.device import networks_at_a_time
from meter_pipeline.recognition.scores import Known, Seen
from meter_pipeline.storage.files import replacing
from meter_pipeline.training.schedule import TrainingSetup
from meter_pipeline.training.training_photos import TrainingPhotos
from meter_pipeline.training.two_phase import train_network

_logger = logging.getLogger(__name__)

FEWEST_CLASSES = 4
"""Classes below which hiding some leaves nothing to tell apart."""
MOST_PHOTOS = 1500
"""Photos that a fold looks at: enough for a threshold, and a bound on the fold's time."""


@dataclass(frozen=True)
class Fold:
    """Rows of the training photos, by what a fold does with them.

    Attributes:
        train: trained on.
        held_out: not shown, but of classes that others are trained on.
        hidden: of classes that are not shown at all.
    """

    train: np.ndarray
    held_out: np.ndarray
    hidden: np.ndarray

    @property
    def not_shown(self) -> np.ndarray:
        """The photos held out, then those of hidden classes."""
        return np.concatenate([self.held_out, self.hidden])


@dataclass(frozen=True, kw_only=True)
class FoldAnswers:
    """What a fold's model made of the photos it was not shown, one row per photo.

    Attributes:
        seen: the photos, as in `Fold.not_shown`.
        whole: the same, by the view of the whole alone.
        known: the fold's train photos.
        labels: class of each photo as an index into the fold's classes; -1 where it was hidden.
        classes: the fold's classes, as indices into all classes.
        rows: row of each photo among the training photos.
    """

    seen: Seen
    whole: Seen
    known: Known
    labels: np.ndarray
    classes: np.ndarray
    rows: np.ndarray


def make_folds(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> list[Fold]:
    """Cut training photos into folds; every class is hidden once, a group of photos is held out at most once.

    A class keeps at least one group to train on in each fold where it is not hidden: a class of a single group is
    never held out.

    Args:
        labels: class index of each photo.
        groups: index of each photo's near-duplicate group; a group has one class.
        count: folds.
        seed: of the order of classes and groups, and of the photos chosen where there are over `MOST_PHOTOS`.

    Returns:
        The folds; empty if there are fewer than `FEWEST_CLASSES` classes or fewer than two folds are asked for.
    """
    classes = np.unique(labels)
    count = min(count, len(classes) // 2)
    if len(classes) < FEWEST_CLASSES or count < 2:
        return []
    random = np.random.default_rng(seed)
    used = np.sort(random.permutation(len(labels))[:MOST_PHOTOS])
    # The largest classes go to different folds, so that no fold loses most of the photos.
    sizes = np.array([np.sum(labels == name) for name in classes])
    hidden_in = dict(
        zip(classes[np.lexsort((random.permutation(len(classes)), -sizes))], _dealt(len(classes), count), strict=True)
    )
    held_in = np.full(len(labels), -1)
    for name in classes:
        of_class = random.permutation(np.unique(groups[labels == name]))
        if len(of_class) > 1:
            for group, fold in zip(of_class, _dealt(len(of_class), count), strict=True):
                held_in[groups == group] = fold
    folds = []
    for number in range(count):
        hidden = np.array([hidden_in[label] == number for label in labels])
        held_out = (held_in == number) & ~hidden
        kept = [row for row in used if not hidden[row] and not held_out[row]]
        lost = set(labels[~hidden]) - set(labels[kept])
        kept += [int(np.flatnonzero((labels == name) & ~held_out)[0]) for name in sorted(lost)]
        folds.append(Fold(np.sort(np.array(kept)), used[held_out[used]], used[hidden[used]]))
    return folds


@contextmanager
def cross_fitting(
    photos: TrainingPhotos, folds: Sequence[Fold], setup: TrainingSetup
) -> Iterator[Callable[[], list[FoldAnswers]]]:
    """Train one model per fold beside what is done inside, and ask it about the photos it was not shown.

    A fold that is done is kept. Where the block ends before the answers were taken, the folds are stopped.

    Args:
        photos: the training photos.
        folds: from `make_folds`.
        setup: as for the model itself.

    Yields:
        What returns the answers of all folds, in order; the caller's thread then takes folds that nobody began.
    """
    setup = replace(setup, stopping=threading.Event())
    beside = networks_at_a_time(setup.cache.device) - 1
    pool = ThreadPoolExecutor(max(beside, 1), thread_name_prefix="folds")
    begun = [pool.submit(_cross_fit, photos, folds, number, setup) for number in range(len(folds))] if beside else []

    def answers() -> list[FoldAnswers]:
        own = {
            number: _cross_fit(photos, folds, number, setup)
            for number in reversed(range(len(folds)))
            if not begun or begun[number].cancel()
        }
        return [own[number] if number in own else begun[number].result() for number in range(len(folds))]

    try:
        yield answers
    finally:
        setup.stopping.set()
        pool.shutdown(cancel_futures=True)


def _cross_fit(photos: TrainingPhotos, folds: Sequence[Fold], number: int, setup: TrainingSetup) -> FoldAnswers:
    """Return the answers of a fold's model, as they were kept or after training it."""
    fold, done = folds[number], setup.checkpoints / f"fold-{number}.npz"
    arrays = _kept(done)
    if arrays is None:
        _logger.info(
            "Fold %d of %d: %d photos to train on, %d held out, %d of hidden classes",
            number + 1,
            len(folds),
            len(fold.train),
            len(fold.held_out),
            len(fold.hidden),
        )
        of_fold = replace(
            setup,
            schedule=replace(setup.schedule, seed=setup.schedule.seed + number + 1),
            checkpoints=setup.checkpoints / f"fold-{number}",
        )
        arrays = _train_and_ask(photos, fold, of_fold)
        with replacing(done) as temporary, temporary.open("wb") as handle:
            np.savez(handle, allow_pickle=False, **arrays)
        shutil.rmtree(of_fold.checkpoints, ignore_errors=True)
    return _answers(photos, fold, arrays)


def _kept(done: Path) -> dict[str, np.ndarray] | None:
    """Return what a fold that is done came to; None if it is not done, or what was kept is damaged."""
    try:
        with np.load(done) as kept:
            return dict(kept)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        _logger.warning("%s is damaged. The fold is trained again.", done)
        return None


def _train_photos(photos: TrainingPhotos, fold: Fold) -> TrainingPhotos:
    """Return the photos that a fold is trained on, their labels as indices into the fold's classes."""
    train = photos.take(fold.train)
    return replace(train, labels=np.unique(train.labels, return_inverse=True)[1])


def _train_and_ask(photos: TrainingPhotos, fold: Fold, setup: TrainingSetup) -> dict[str, np.ndarray]:
    """Return what a fold's model says, in arrays that can be kept."""
    train = _train_photos(photos, fold)
    network = train_network(train, None, setup)
    return asdict(network.answers(photos.take(fold.not_shown))) | {"known": network.answers(train).tuned}


def _answers(photos: TrainingPhotos, fold: Fold, arrays: dict[str, np.ndarray]) -> FoldAnswers:
    asked, classes = photos.take(fold.not_shown), np.unique(photos.labels[fold.train])
    index_of = {int(label): index for index, label in enumerate(classes)}
    return FoldAnswers(
        seen=asked.seen(arrays["logits"], arrays["tuned"]),
        whole=asked.seen_whole(arrays["whole_logits"], arrays["whole_tuned"]),
        known=_train_photos(photos, fold).known(arrays["known"]),
        labels=np.array([index_of.get(int(label), -1) for label in asked.labels], np.int64),
        classes=classes,
        rows=fold.not_shown,
    )


def _dealt(items: int, folds: int) -> np.ndarray:
    """Return the number of the fold that each item goes to, up and down again: 0 1 2 2 1 0 0 1 ..."""
    round_trip = np.concatenate([np.arange(folds), np.arange(folds)[::-1]])
    return np.resize(round_trip, items)
