"""Features in the lake: computed once, failures kept with their reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meter_pipeline.photos.photo_files import DAMAGED, UNREADABLE, image_id_of
from meter_pipeline.recognition.early_exit import EarlyExit
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


def test_a_photo_that_is_plainly_known_gets_one_view_and_all_of_them_once_every_photo_does(
    model: MeterModel, tmp_path: Path
) -> None:
    draw("BLUE_A", 1).save(tmp_path / "plain.jpg")
    draw("GREY_A", 1).point(lambda value: value // 12).save(tmp_path / "dark.jpg")
    photos = [(name, tmp_path / f"{name}.jpg") for name in ("plain", "dark")]
    lake = Layout(tmp_path).lake
    guard = replace(model.guard, threshold=-99.0, sure_from=None, class_thresholds={}, class_sure_from={})
    card = replace(model.card, guard={**model.card.guard, **guard.as_card()})
    brief = replace(model, card=card, early_exit=EarlyExit(confidence=0.0, margin=0.0))

    def views() -> list[int]:
        return features_of(lake, IMAGE_FEATURES, model.version, ["plain", "dark"]).views.tolist()

    assert update_features(lake, IMAGE_FEATURES, brief, photos) == 2
    assert views() == [1, 1]
    assert update_features(lake, IMAGE_FEATURES, brief, photos) == 0
    assert update_features(lake, IMAGE_FEATURES, replace(model, early_exit=None), photos) == 2
    assert views() == [3, 3]
    assert lake.count(IMAGE_FEATURES) == 2
    careful = replace(model, early_exit=EarlyExit(confidence=0.0, margin=99.0))
    other = Layout(tmp_path / "other").lake
    update_features(other, IMAGE_FEATURES, careful, photos)
    assert features_of(other, IMAGE_FEATURES, model.version, ["plain", "dark"]).views.tolist() == [3, 1]


def test_a_photo_damaged_in_the_store_is_not_used_and_tried_again_when_it_is_sound(
    model: MeterModel, tmp_path: Path
) -> None:
    layout = Layout(tmp_path)
    draw("BLUE_A", 1).save(tmp_path / "good.jpg")
    content = (tmp_path / "good.jpg").read_bytes()
    image_id = image_id_of(content)
    path = layout.image(image_id)
    path.parent.mkdir(parents=True)
    path.symlink_to(path)  # an error that says nothing of the photo
    damaged: list[str] = []
    update_features(layout.lake, IMAGE_FEATURES, model, [(image_id, path)], on_damaged=damaged.append)
    found = features_of(layout.lake, IMAGE_FEATURES, model.version, [image_id])
    assert found.failures[image_id].startswith(UNREADABLE)
    assert damaged == []
    path.unlink()
    path.write_bytes(content[:-40] + bytes(40))
    for times in (1, 2):
        photos = [(image_id, path)]
        assert update_features(layout.lake, IMAGE_FEATURES, model, photos, on_damaged=damaged.append) == 1
        assert damaged == [image_id] * times
        found = features_of(layout.lake, IMAGE_FEATURES, model.version, [image_id])
        assert found.failures == {image_id: DAMAGED}
    path.write_bytes(content)
    update_features(layout.lake, IMAGE_FEATURES, model, [(image_id, path)])
    assert features_of(layout.lake, IMAGE_FEATURES, model.version, [image_id]).image_ids == [image_id]
    assert update_features(layout.lake, IMAGE_FEATURES, model, [(image_id, path)]) == 0
