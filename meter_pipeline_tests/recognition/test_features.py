"""Photos through the network: the same numbers whoever is beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meter_pipeline.recognition.embeddings import normalised
from meter_pipeline.recognition.features import extract_features
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.settings import TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.training.trained_model import train_model
from meter_pipeline_tests.support.patterns import draw, split_of
from meter_pipeline_tests.support.wall_plates import plate_on_a_wall

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
                parts = (batch.logits, batch.embeddings.tuned, batch.embeddings.pretrained)
                found[image_id] = b"".join(part[i].tobytes() for part in parts)
        return found

    together = features(photos)
    assert features(photos[::-1]) == together
    assert features([photos[5]]) == {"p5": together["p5"]}


def test_a_photo_is_seen_alike_alone_beside_others_and_in_training(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    split = split_of(layout.raw, {"BLUE_A": (4, 0, 1), "GREY_A": (4, 0, 1)})
    small = {"backbone": "efficientnet_lite0", "epochs_head": 1, "epochs_tune": 1, "train_views": 5, "guard_folds": 0}
    card = train_model(split, layout, TrainingSettings.from_settings(load_settings(data_dir=tmp_path, **small)))
    model = load_model(layout, card.version)
    assert len(model.preprocess.direction) == 192
    photos = [(name, layout.raw / path) for name, path in zip(split["image_id"], split["path"], strict=True)]
    together = next(extract_features(model, photos))
    for row, photo in enumerate(photos[:3]):
        alone = next(extract_features(model, [photo]))
        assert np.array_equal(alone.logits[0], together.logits[row])
    large = tmp_path / "large.png"
    plate_on_a_wall(3)[0].resize((1500, 2000)).save(large)  # decoded twice
    small_one, large_one = next(extract_features(model, [photos[0], ("large", large)])).logits
    assert np.array_equal(small_one, together.logits[0])
    assert np.array_equal(large_one, next(extract_features(model, [("large", large.read_bytes())])).logits[0])
    known = model.reference.image_ids.index(photos[0][0])
    seen = normalised(together.embeddings.tuned[:1])[0]
    assert float(seen @ model.reference.known.embeddings.tuned[known]) > 0.999
