"""Features in the lake: computed once, failures kept with their reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES
from meter_pipeline_tests.support.patterns import draw

pytestmark = pytest.mark.slow


def test_a_photo_that_cannot_be_read_is_a_row_with_its_reason_and_harms_no_other(
    model: MeterModel, tmp_path: Path
) -> None:
    draw("BLUE_A", 1).save(tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    photos = [("good", tmp_path / "good.jpg"), ("bad", tmp_path / "bad.jpg"), ("gone", tmp_path / "gone.jpg")]
    lake = Layout(tmp_path).lake
    assert update_features(lake, IMAGE_FEATURES, model, photos) == 3
    assert update_features(lake, IMAGE_FEATURES, model, photos) == 0
    found = features_of(lake, IMAGE_FEATURES, model.version, ["gone", "bad", "good", "never seen"])
    assert found.image_ids == ["good"]
    assert set(found.failures) == {"bad", "gone"}
