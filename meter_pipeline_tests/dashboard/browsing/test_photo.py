"""One photo by a person: the answer of a batch, its nearest known photos, quality flags, and where the model looked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from meter_pipeline.batches.batch_predictions import name_rows
from meter_pipeline.dashboard.browsing.photo import ask, quality_flags
from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.url_images import fetch_photo
from meter_pipeline.photos.store import store
from meter_pipeline.recognition.attribution import OVERLAY_SIDE, closer_views, grad_cam, overlay
from meter_pipeline.recognition.decision import decision_table
from meter_pipeline.recognition.image_features import compute_features
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import DecisionSettings, Settings, TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DECISION_COLUMNS, DROP_ROWS, IMAGE_INVENTORY, URL_IMAGES
from meter_pipeline.training.trained_model import train_model
from meter_pipeline_tests.support.patterns import draw, split_of

pytestmark = pytest.mark.slow

COUNTS = {"BLUE_A": (8, 0, 2), "GREY_A": (8, 0, 2), "WHITE_A": (6, 0, 0)}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A data directory with a champion and its labelled photos."""
    layout = Layout(tmp_path_factory.mktemp("one_photo"))
    split = split_of(layout.raw, COUNTS)
    small = {"backbone": "efficientnet_lite0", "epochs_head": 6, "epochs_tune": 4, "train_views": 3, "batch_size": 8}
    card = train_model(split, layout, TrainingSettings.from_settings(load_settings(data_dir=layout.root, **small)))
    set_champion(layout, card.version, reason="for a test")
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
    batch = name_rows(layout, DecisionSettings.from_settings(settings)).to_dict("records")
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


def test_a_url_is_fetched_with_the_guard_of_the_drops(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg("BLUE_A", 1))
    with ImageServer(tmp_path) as server:
        assert fetch_photo(f" {server.base_url}/1.jpg ", settings) == (tmp_path / "1.jpg").read_bytes()
        with pytest.raises(MeterError, match="not_found"):
            fetch_photo(f"{server.base_url}/2.jpg", settings)
    with pytest.raises(MeterError, match="METER_ALLOW_HOSTS"):
        fetch_photo("http://10.0.0.1/1.jpg", settings)
    with pytest.raises(MeterError, match="not the URL of a photo"):
        fetch_photo("file:///etc/passwd", settings)


def test_grad_cam_finds_the_part_that_tells_the_classes_apart(model: MeterModel) -> None:
    """The meter lies in a corner of a wide grey picture: most of the heat must be there."""
    wide = Image.new("RGB", (480, 480), (120, 120, 120))
    wide.paste(draw("BLUE_A", 3, (200, 200)), (0, 0))
    buffer = io.BytesIO()
    wide.save(buffer, format="PNG")
    heat = grad_cam(model, buffer.getvalue(), "BLUE_A")
    assert heat.shape == (224, 224)
    assert (heat.min(), heat.max()) == (0.0, 1.0)
    assert heat[:112, :112].mean() > 1.5 * heat[112:, 112:].mean()
    picture = Image.open(io.BytesIO(overlay(buffer.getvalue(), heat)))
    assert picture.size == (OVERLAY_SIDE, OVERLAY_SIDE)
    hottest = np.unravel_index(heat.argmax(), heat.shape)
    red, _green, blue = picture.getpixel((int(hottest[1] * 480 / 224), int(hottest[0] * 480 / 224)))  # type: ignore[misc]
    assert red > blue + 40
    squares = closer_views(model, buffer.getvalue())
    assert len(squares) == 2
    assert all(0 <= left < 0.42 > top >= 0 and right <= 1 >= bottom for left, top, right, bottom in squares)
    framed = Image.open(io.BytesIO(overlay(buffer.getvalue(), heat, squares)))
    corner = tuple(round(share * (OVERLAY_SIDE - 1)) for share in squares[1][:2])
    assert min(framed.getpixel(corner)) > 180  # type: ignore[arg-type]


def test_gradients_are_left_off_and_the_answer_is_the_same_after_grad_cam(
    layout: Layout, model: MeterModel, settings: Settings
) -> None:
    content = jpeg("GREY_A", 7)
    before = ask(layout, model, content, "x.jpg", settings)
    grad_cam(model, content, "GREY_A")
    assert ask(layout, model, content, "x.jpg", settings) == before
    assert not any(parameter.requires_grad for parameter in model.tuned_block.parameters())
