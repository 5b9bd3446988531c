"""Folds that hide classes and hold out photos: every one once, none leaks; and a training that uses them."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.evaluation.evaluation_report import assess
from meter_pipeline.recognition.model_card import ModelCard
from meter_pipeline.recognition.model_store import load_held_out
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT
from meter_pipeline.training.cross_fitting import MOST_PHOTOS, Fold, make_folds
from meter_pipeline.training.schedule import Schedule, TrainingSetup, TrainingStopped
from meter_pipeline.training.trained_model import train_model
from meter_pipeline.training.two_phase import EpochRecord
from meter_pipeline_tests.support.patterns import split_of
from meter_pipeline_tests.support.small_models import config_for

pytestmark = pytest.mark.slow

COUNTS = dict.fromkeys(("BLUE_A", "GREY_A", "RED_NEW", "WHITE_A"), (22, 0, 3))


def _setup(checkpoints: Path) -> TrainingSetup:
    schedule = Schedule(epochs_head=1, epochs_tune=0, patience=1, batch_size=2, seed=0)
    return TrainingSetup(schedule=schedule, cache=Mock(), checkpoints=checkpoints)


@given(
    sizes=st.lists(st.integers(1, 12), min_size=4, max_size=12),
    photos_per_group=st.integers(1, 3),
    count=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_every_class_is_hidden_once_and_every_group_stays_together(
    sizes: list[int], photos_per_group: int, count: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), np.array(sizes) * photos_per_group)
    groups = np.arange(len(labels)) // photos_per_group
    folds = make_folds(labels, groups, count, seed)
    assert len(folds) == min(count, len(sizes) // 2)
    hidden = [set(labels[fold.hidden]) for fold in folds]
    assert sum(map(len, hidden)) == len(set().union(*hidden)) == len(sizes)
    for fold, names in zip(folds, hidden, strict=True):
        assert names.isdisjoint(labels[fold.train])
        assert names.isdisjoint(labels[fold.held_out])
        assert set(groups[fold.train]).isdisjoint(groups[fold.held_out])
        assert set(labels[fold.held_out]) <= set(labels[fold.train])
        assert len(set(labels[fold.train])) == len(sizes) - len(names)
    held_out = np.concatenate([fold.held_out for fold in folds])
    assert len(held_out) == len(set(held_out))


def test_few_classes_or_no_folds_asked_for_make_none() -> None:
    labels = np.repeat(np.arange(3), 10)
    assert make_folds(labels, np.arange(30), 3, 0) == []
    labels = np.repeat(np.arange(5), 10)
    assert make_folds(labels, np.arange(50), 0, 0) == []
    assert make_folds(labels, np.arange(50), 1, 0) == []


def test_a_large_set_is_looked_at_in_part() -> None:
    labels = np.repeat(np.arange(10), 400)
    for fold in make_folds(labels, np.arange(4000), 3, 0):
        assert len(fold.train) + len(fold.held_out) + len(fold.hidden) <= MOST_PHOTOS


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, pd.DataFrame, ModelCard]:
    layout = Layout(tmp_path_factory.mktemp("folds"))
    split = split_of(layout.raw, COUNTS)
    return layout, split, train_model(split, layout, config_for(layout.root))


def test_the_card_says_what_the_guard_catches_of_types_it_was_never_shown(
    trained: tuple[Layout, pd.DataFrame, ModelCard],
) -> None:
    layout, split, card = trained
    assert 0 <= card.guard["hidden_caught"] <= 1
    assert f"it sent {card.guard['hidden_caught']:.0%} to review" in card.guard["summary"]
    assert card.guard["known_flagged"] <= 0.05 + 1 / 40
    assert card.guard["sure_from"] > card.guard["threshold"]
    assert 0 <= card.guard["hidden_not_sure"] <= 1 - card.guard["hidden_caught"] + 1e-9
    assert 0 < card.guard["known_flagged"] + card.guard["known_not_sure"] <= 0.1 + 1 / 40
    held_out = load_held_out(layout, card.version)
    train = split.loc[split["split"] == "train", "label"].value_counts()
    needed = card.guard["needs_photos"]
    assert needed is None or needed in set(held_out["class_photos"])
    assert card.guard["below_promise"] == sorted(train.index[train < (needed or 1000)])
    assert held_out["hidden"].value_counts().to_dict() == {True: 88, False: 44}
    assert held_out.loc[held_out["hidden"], "image_id"].is_unique


def test_the_evaluation_shows_the_hidden_classes(trained: tuple[Layout, pd.DataFrame, ModelCard]) -> None:
    layout, split, card = trained
    layout.lake.replace(DATASET_SPLIT, split)
    found = assess(layout, card.version, DecisionSettings())
    page = found.page.read_text(encoding="utf-8")
    assert "hidden classes (88)" in page
    assert card.guard["summary"] in page
    assert found.evaluation.ece_calibrated is not None
    assert layout.lake.frame(EVALUATION_AUDIT)["calibrated_confidence"].between(0, 1).all()


def test_a_training_killed_in_a_fold_goes_on_and_gives_the_same_guard(
    trained: tuple[Layout, pd.DataFrame, ModelCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    from meter_pipeline.training import cross_fitting

    layout = Layout(tmp_path)
    split = split_of(layout.raw, COUNTS)
    train_network, calls = cross_fitting.train_network, []

    def killed_in_the_second(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return train_network(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patches:
        patches.setattr(cross_fitting, "train_network", killed_in_the_second)
        with pytest.raises(Killed):
            train_model(split, layout, config_for(tmp_path))
    epochs: list[EpochRecord] = []
    again = train_model(split, layout, config_for(tmp_path), on_epoch=epochs.append)
    assert epochs == []
    assert (again.weights_sha256, again.guard) == (trained[2].weights_sha256, trained[2].guard)


def test_folds_that_nobody_waits_for_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that fails does not wait for its folds to be trained to their end."""
    from meter_pipeline.training import cross_fitting

    began, stopped = threading.Event(), threading.Event()

    def endless(_photos: object, _folds: object, _number: int, setup: TrainingSetup) -> None:
        began.set()
        assert setup.stopping.wait(60)
        stopped.set()
        raise TrainingStopped

    monkeypatch.setattr(cross_fitting, "_cross_fit", endless)
    monkeypatch.setattr(cross_fitting, "networks_at_a_time", lambda _device: 2)
    fold = Fold(*[np.arange(1)] * 3)
    setup = _setup(tmp_path)
    with pytest.raises(ZeroDivisionError), cross_fitting.cross_fitting(Mock(), [fold, fold], setup):
        assert began.wait(60)
        raise ZeroDivisionError
    assert stopped.is_set()
    assert not setup.stopping.is_set(), "the model's own training is another matter"


@pytest.mark.parametrize("at_a_time", [1, 2, 4])
def test_answers_come_in_the_order_of_the_folds_whoever_trains_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    from meter_pipeline.training import cross_fitting

    trained: list[int] = []

    def train(_photos: object, _folds: object, number: int, _setup: object) -> int:
        trained.append(number)
        return number

    monkeypatch.setattr(cross_fitting, "_cross_fit", train)
    monkeypatch.setattr(cross_fitting, "networks_at_a_time", lambda _device: at_a_time)
    folds = [Fold(*[np.arange(1)] * 3)] * 4
    with cross_fitting.cross_fitting(Mock(), folds, _setup(tmp_path)) as answers:
        assert answers() == [0, 1, 2, 3]
    assert sorted(trained) == [0, 1, 2, 3]
