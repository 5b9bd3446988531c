"""One photo gets the answer that it would get in a batch, or an error with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import DecisionSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES
from meter_pipeline_tests.support.patterns import draw
from meter_pipeline_tests.support.small_models import Trained

pytestmark = pytest.mark.slow


def test_one_photo_and_a_batch_get_the_same_answer(drawn_model: Trained, model: MeterModel, tmp_path: Path) -> None:
    layout = drawn_model.layout
    paths = []
    for number, kind in enumerate(["BLUE_A", "RED_NEW", "WHITE_A"]):
        paths.append(tmp_path / f"{number}.jpg")
        draw(kind, 50 + number).save(paths[-1])
    lake = Layout(tmp_path).lake
    update_features(lake, IMAGE_FEATURES, model, [(str(i), path) for i, path in enumerate(paths)])
    batch = decide(model, features_of(lake, IMAGE_FEATURES, model.version, ["0", "1", "2"]), DecisionSettings())
    single = predict_photos(layout, paths, load_settings(data_dir=layout.root))
    for prediction, of_batch in zip(single, batch, strict=True):
        assert prediction.decision is not None
        assert prediction.decision.top3 == of_batch.top3
        assert prediction.decision.guard_score == of_batch.guard_score
        assert prediction.final_prediction == of_batch.final_label
        assert prediction.reason == of_batch.reason


def test_a_file_that_is_not_a_photo_is_an_error_with_its_reason(drawn_model: Trained, tmp_path: Path) -> None:
    layout = drawn_model.layout
    (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
    bad, missing = predict_photos(
        layout, [tmp_path / "text.jpg", tmp_path / "none.jpg"], load_settings(data_dir=layout.root)
    )
    assert (bad.final_prediction, missing.final_prediction) == ("ERROR", "ERROR")
    assert (bad.rule, bad.decision, bad.quality) == ("error", None, None)
    assert "No such file" in missing.reason
