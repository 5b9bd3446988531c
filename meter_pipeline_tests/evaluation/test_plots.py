"""The plots of an evaluation: nothing is cut off, and what was not measured is left out."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from meter_pipeline.evaluation.plot_style import DARK
from meter_pipeline.evaluation.plots import confusion_matrix_png, history_png
from meter_pipeline_tests.support.evaluations import results

HISTORY = [
    {"phase": "head", "epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "val_loss": None, "val_accuracy": None},
    {"phase": "tune", "epoch": 1, "train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.6, "val_accuracy": 0.7},
]


def test_a_longer_class_name_makes_a_wider_picture_not_a_cut_name() -> None:
    def width(name: str) -> int:
        evaluation, _audit = results([name, "b", "c"])
        with Image.open(io.BytesIO(confusion_matrix_png(evaluation))) as image:
            edge = np.asarray(image.convert("L"))[:, :3]
            assert (edge == 255).all()  # nothing touches the edge
            return image.width

    assert width("SECURE_PREMIER_300_THREE_PHASE_V2") > width("a") + 100


def test_history_without_val_and_in_the_dark() -> None:
    rows = pd.DataFrame(HISTORY[:1]).drop(columns=["val_loss", "val_accuracy"])
    with Image.open(io.BytesIO(history_png(rows, DARK))) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (0x17, 0x1C, 0x24)
