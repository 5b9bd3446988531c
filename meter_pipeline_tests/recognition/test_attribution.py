"""Where the model looked: most of the heat lies on what tells the classes apart."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from meter_pipeline.recognition.attribution import OVERLAY_SIDE, closer_views, grad_cam, overlay
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline_tests.support.patterns import draw
from meter_pipeline_tests.support.small_models import train_longer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MeterModel:
    return load_model(train_longer(tmp_path_factory.mktemp("trained")).layout)


def test_grad_cam_finds_the_part_that_tells_the_classes_apart(model: MeterModel) -> None:
    """The meter lies in a corner of a wide grey picture: most of the heat must be there."""
    wide = Image.new("RGB", (480, 480), (120, 120, 120))
    wide.paste(draw("BLUE_A", 3, (200, 200)), (0, 0))
    buffer = io.BytesIO()
    wide.save(buffer, format="PNG")
    heat = grad_cam(model, buffer.getvalue(), "BLUE_A")
    assert heat.shape == (224, 224)
    assert heat.max() == 1.0
    assert 0.0 <= heat.min() < 0.01  # something speaks hardly for the class, if not against it
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
