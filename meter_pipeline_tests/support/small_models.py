"""A small model trained on drawn photos in some seconds, and the settings it is trained with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from meter_pipeline.recognition.model_card import ModelCard, set_champion
from meter_pipeline.settings import TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model
from meter_pipeline.training.two_phase import EpochRecord
from meter_pipeline_tests.support.patterns import split_of

COUNTS = {"BLUE_A": (12, 3, 3), "GREY_A": (8, 0, 3), "WHITE_A": (5, 0, 0)}
"""Train, val and test photos of each class."""
LONGER_COUNTS = {"BLUE_A": (8, 0, 2), "GREY_A": (8, 0, 2), "WHITE_A": (6, 0, 0)}


class Trained(NamedTuple):
    """A data directory with a champion, and how it came to be."""

    layout: Layout
    split: pd.DataFrame
    card: ModelCard
    epochs: list[EpochRecord]


def config_for(data_dir: Path, **overrides: object) -> TrainingSettings:
    """Return settings with which a training takes seconds."""
    small = {"backbone": "efficientnet_lite0", "epochs_head": 3, "epochs_tune": 2, "train_views": 5, "batch_size": 8}
    return TrainingSettings.from_settings(load_settings(data_dir=data_dir, **{**small, **overrides}))


def train_small_model(root: Path) -> Trained:
    """Draw photos, train on them, and put the model into use."""
    return _train(root, COUNTS)


def train_longer(root: Path) -> Trained:
    """Draw other photos, train on them for longer, and put the model into use: one with a clear Grad-CAM."""
    return _train(root, LONGER_COUNTS, epochs_head=6, epochs_tune=4, train_views=3)


def _train(root: Path, counts: dict[str, tuple[int, int, int]], **overrides: object) -> Trained:
    layout = Layout(root)
    split = split_of(layout.raw, counts)
    epochs: list[EpochRecord] = []
    card = train_model(split, layout, config_for(layout.root, **overrides), on_epoch=epochs.append)
    set_champion(layout, card.version, reason="for a test")
    return Trained(layout, split, card, epochs)
