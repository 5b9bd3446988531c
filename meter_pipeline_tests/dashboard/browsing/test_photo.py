"""One photo by a person: the answer of a batch, its nearest known photos, and quality flags."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.batches.batch_predictions import name_rows
from meter_pipeline.dashboard.browsing.photo import ask, quality_flags
from meter_pipeline.photos.store import store
from meter_pipeline.recognition.attribution import grad_cam
from meter_pipeline.recognition.decision import decision_table
from meter_pipeline.recognition.image_features import compute_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import DecisionSettings, Settings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DECISION_COLUMNS, DROP_ROWS, IMAGE_INVENTORY, URL_IMAGES
from meter_pipeline_tests.support.patterns import draw
from meter_pipeline_tests.support.small_models import train_longer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A data directory with a champion and its labelled photos."""
    layout, split, _, _ = train_longer(tmp_path_factory.mktemp("one_photo"))
    rows = split.assign(reason=None, **dict.fromkeys(("brightness", "contrast", "sharpness", "glare"), 0.0))
    rows["brightness"] = np.linspace(100, 150, len(rows))
    layout.lake.replace(IMAGE_INVENTORY, rows.reindex(columns=list(IMAGE_INVENTORY.columns)))
    return layout


@pytest.fixture
def model(layout: Layout) -> MeterModel:
    return load_model(layout)


@pytest.fixture
def settings(layout: Layout) -> Settings:
    return load_settings(data_dir=layout.root, allow_hosts="127.0.0.1", download_attempts=1, download_timeout=5)


def jpeg(kind: str, seed: int) -> bytes:
    buffer = io.BytesIO()
    draw(kind, seed, (360, 480)).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def test_upload_command_and_batch_give_one_answer(
    layout: Layout, model: MeterModel, settings: Settings, tmp_path: Path
) -> None:
    urls, contents = [], [jpeg(kind, 500) for kind in ("BLUE_A", "RED_NEW", "WHITE_A")]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.jpg").write_bytes(content)
        urls.append({"image_url": f"https://host/{number}.jpg", "outcome": "ok", **store(layout, content).columns()})
    rows = [
        {"drop": "june", "position": number, "image_url": url["image_url"], "row_number": number + 2}
        for number, url in enumerate(urls)
    ]
    layout.lake.replace(URL_IMAGES, pd.DataFrame(urls).reindex(columns=list(URL_IMAGES.columns)))
    layout.lake.replace(DROP_ROWS, pd.DataFrame(rows).reindex(columns=list(DROP_ROWS.columns)))
    compute_features(layout)
    name_rows(layout, DecisionSettings.from_settings(settings))
    batch = layout.lake.frame(BATCH_PREDICTIONS).to_dict("records")
    command = predict_photos(layout, [tmp_path / f"{number}.jpg" for number in range(3)], settings)
    for content, of_batch, of_command in zip(contents, batch, command, strict=True):
        found = ask(layout, model, content, of_command.image, settings).prediction
        assert found == of_command
        assert found.decision is not None
        decided = decision_table([found.decision]).to_dict("records")[0]
        assert decided == {name: of_batch[name] for name in DECISION_COLUMNS}
        assert found.model_version == of_batch["model_version"]


def test_the_nearest_known_photos_are_the_models_own_with_their_files(
    layout: Layout, model: MeterModel, settings: Settings
) -> None:
    content = (layout.raw / "BLUE_A" / "000.jpg").read_bytes()  # a train photo
    nearest = ask(layout, model, content, "x.jpg", settings).nearest
    assert nearest[0].label == "BLUE_A"
    assert nearest[0].similarity == pytest.approx(1, abs=1e-3)
    assert nearest[0].path == layout.raw / "BLUE_A" / "000.jpg"
    assert [photo.similarity for photo in nearest] == sorted((p.similarity for p in nearest), reverse=True)


def test_what_is_no_photo_is_an_error_with_its_reason(layout: Layout, model: MeterModel, settings: Settings) -> None:
    answer = ask(layout, model, b"<html>", "x.jpg", settings)
    assert (answer.prediction.final_prediction, answer.nearest, answer.flags) == ("ERROR", [], [])
    assert "web page" in answer.prediction.reason


def test_only_what_is_beyond_the_known_photos_is_pointed_out(layout: Layout, tmp_path: Path) -> None:
    usual = {"brightness": 125.0, "contrast": 0.0, "sharpness": 0.0, "glare": 0.0}
    assert quality_flags(layout, usual) == []
    assert quality_flags(layout, {**usual, "brightness": 20.0}) == ["Darker than 95% of the known photos."]
    assert quality_flags(layout, {**usual, "glare": 0.5}) == ["More glare than 95% of the known photos."]
    assert quality_flags(Layout(tmp_path), {**usual, "brightness": 0.0}) == []  # nothing to compare with


def test_gradients_are_left_off_and_the_answer_is_the_same_after_grad_cam(
    layout: Layout, model: MeterModel, settings: Settings
) -> None:
    content = jpeg("GREY_A", 7)
    before = ask(layout, model, content, "x.jpg", settings)
    grad_cam(model, content, "GREY_A")
    assert ask(layout, model, content, "x.jpg", settings) == before
    assert not any(parameter.requires_grad for parameter in model.network_in_torch.tuned_block.parameters())
