"""Photos through the network: the same numbers whoever is beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from meter_pipeline.recognition.features import extract_features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline_tests.support.patterns import draw

pytestmark = pytest.mark.slow


def test_a_photos_numbers_do_not_depend_on_who_is_beside_it(model: MeterModel, tmp_path: Path) -> None:
    photos = []
    for number in range(11):
        path = tmp_path / f"{number}.jpg"
        draw("BLUE_A", 100 + number).save(path)
        photos.append((f"p{number}", path))

    def features(some: list[tuple[str, Path]]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for batch in extract_features(model, some):
            for i, image_id in enumerate(batch.image_ids):
                parts = (batch.logits, batch.embeddings.tuned, batch.embeddings.pretrained, batch.whole, batch.close)
                found[image_id] = b"".join(part[i].tobytes() for part in parts)
        return found

    together = features(photos)
    assert features(photos[::-1]) == together
    assert features([photos[5]]) == {"p5": together["p5"]}


def test_single_views_are_the_whole_photo_before_and_the_closest_after_fine_tuning(
    model: MeterModel, tmp_path: Path
) -> None:
    image, preprocess = draw("BLUE_A", 7), model.preprocess
    image.save(tmp_path / "p.png")
    [features] = extract_features(model, [("p", tmp_path / "p.png")])

    def through_trunk(pixels: np.ndarray) -> torch.Tensor:
        return model.trunk(preprocess.normalise(pixels))

    with torch.inference_mode():
        whole = through_trunk(preprocess.framed_pixels(image)[:1])
        close = through_trunk(preprocess.located_pixels(image, whole[0].numpy())[-1:])
        expected_whole, expected_close = model.pretrained_block(whole).numpy(), model.tuned_block(close).numpy()
    assert preprocess.views[-1] == "nameplate"
    np.testing.assert_allclose(features.whole, expected_whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features.close, expected_close, rtol=1e-4, atol=1e-5)
