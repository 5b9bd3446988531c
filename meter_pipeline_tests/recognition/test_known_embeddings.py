"""The labelled photos under the champion: one row per photo of the split, and only those computed that are new."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from meter_pipeline.recognition.known_embeddings import embed_known
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, KNOWN_EMBEDDINGS
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def test_photos_that_do_not_come_with_the_model_are_computed_once(drawn_model: Trained, tmp_path: Path) -> None:
    layout, split = Layout(tmp_path / "data"), drawn_model.split
    shutil.copytree(drawn_model.layout.root, layout.root)
    layout.lake.replace(DATASET_SPLIT, split)
    counts = drawn_model.card.counts
    assert embed_known(layout) == counts["val"] + counts["test"]
    assert embed_known(layout) == 0
    rows = layout.lake.frame(KNOWN_EMBEDDINGS)
    assert rows["image_id"].tolist() == sorted(split["image_id"])
    assert set(rows["model_version"]) == {drawn_model.card.version}
    for name in ("embedding", "pretrained_embedding"):
        lengths = np.linalg.norm(np.stack(rows[name].tolist()), axis=1)
        assert lengths == pytest.approx(1.0, abs=1e-3)
