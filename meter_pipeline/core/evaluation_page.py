"""The evaluation of a model as a folder for people: one HTML page that stands alone, pictures, and tables as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from meter_pipeline.core.champion import Verdict
from meter_pipeline.core.evaluation import Evaluation
from meter_pipeline.core.unknown_curves import UnknownCurve


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    audit: pd.DataFrame,
    history: pd.DataFrame | Sequence[Mapping[str, Any]],
    card: Mapping[str, Any],
    *,
    photo_paths: Mapping[str, Path] | None = None,
    split: pd.DataFrame | None = None,
    verdict: Verdict | None = None,
    unknown_curves: Mapping[str, UnknownCurve] | None = None,
) -> Path:
    """Write `reports/evaluation/<version>/` whole and return the path of its page, `index.html`.

    Args:
        folder: `layout.evaluation(version)`; what was there is replaced.
        evaluation: from `evaluate`.
        audit: from `audit_frame`.
        history: a row an epoch: `phase`, `epoch`, `train_loss`, `train_accuracy`, `val_loss`, `val_accuracy`; empty
            where unknown.
        card: the model card; shown as it is.
        photo_paths: file a photo by image id, for thumbnails of the wrong ones.
        split: rows of `dataset_split`, for photos a class and split.
        verdict: what the gate said, where it has spoken.
        unknown_curves: by the name of the photos (hidden classes, junk), where there are such.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    raise NotImplementedError
