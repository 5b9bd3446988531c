"""A model from photos to decision: trained, stored, asked; what a kill leaves; what does not fit together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file

from meter_pipeline.errors import DataSetError, NoChampionError, WeightsError
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features, extract_features
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_store import (
    MeterModel,
    ModelCard,
    champion_version,
    list_models,
    load_card,
    load_model,
    set_champion,
)
from meter_pipeline.recognition.network.backbones import load_backbone
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.recognition.single_photo import predict_photos
from meter_pipeline.settings import DecisionSettings, TrainingSettings, load_settings
from meter_pipeline.storage.files import read_json, write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES
from meter_pipeline.training.trained_model import EpochRecord, train_model
from meter_pipeline_tests.support.patterns import draw, split_of

COUNTS = {"BLUE_A": (12, 3, 3), "GREY_A": (8, 0, 3), "WHITE_A": (5, 0, 0)}


def config_for(data_dir: Path, **overrides: object) -> TrainingSettings:
    small = {"backbone": "efficientnet_lite0", "epochs_head": 3, "epochs_tune": 2, "train_views": 5, "batch_size": 8}
    return TrainingSettings.from_settings(load_settings(data_dir=data_dir, **{**small, **overrides}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]]:
    layout = Layout(tmp_path_factory.mktemp("trained"))
    split = split_of(layout.raw, COUNTS)
    epochs: list[EpochRecord] = []
    card = train_model(split, layout, config_for(layout.root), on_epoch=epochs.append)
    set_champion(layout, card.version, reason="for a test")
    return layout, split, card, epochs


@pytest.fixture
def model(trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]]) -> MeterModel:
    return load_model(trained[0])


def test_both_phases_are_trained_and_the_model_knows_its_classes(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]],
) -> None:
    layout, split, card, epochs = trained
    assert [(e.phase, e.epoch) for e in epochs] == [("head", 1), ("head", 2), ("head", 3), ("tune", 1), ("tune", 2)]
    assert card.classes == sorted(COUNTS)
    assert card.counts == {"train": 25, "val": 3, "test": 6}
    test = split[split["split"] == "test"]
    predictions = predict_photos(
        layout, [layout.raw / path for path in test["path"]], load_settings(data_dir=layout.root)
    )
    assert [p.top3[0][0] for p in predictions] == test["label"].tolist()


def test_the_last_block_is_tuned_and_the_pretrained_one_is_kept(model: MeterModel) -> None:
    """Once the copy that was to be tuned was frozen with the original, and phase 2 moved the head alone."""
    tuned, pretrained = model.tuned_block.state_dict(), model.pretrained_block.state_dict()
    weights = [name for name in tuned if name.endswith("weight")]
    assert any(not torch.equal(tuned[name], pretrained[name]) for name in weights)
    original = load_backbone("efficientnet_lite0", "imagenet").last_block.state_dict()
    assert all(torch.equal(pretrained[name], original[name]) for name in weights)


def test_the_same_photos_and_settings_are_not_trained_again(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]],
) -> None:
    layout, split, card, _ = trained
    epochs: list[EpochRecord] = []
    again = train_model(split.sample(frac=1, random_state=1), layout, config_for(layout.root), on_epoch=epochs.append)
    assert (again.version, epochs) == (card.version, [])


def test_a_killed_training_goes_on_and_gives_the_same_weights(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], tmp_path: Path
) -> None:
    _, _, undisturbed, _ = trained
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from meter_pipeline.storage.layout import Layout
        from meter_pipeline.training.trained_model import train_model
        from meter_pipeline_tests.patterns import split_of
        from meter_pipeline_tests.recognition.test_recognition import COUNTS, config_for
        layout = Layout(Path(sys.argv[1]))
        slow = sys.argv[2] == "slow"
        def on_epoch(record):
            print(record.phase, record.epoch, flush=True)
            time.sleep(0.5 if slow else 0)
        card = train_model(split_of(layout.raw, COUNTS), layout, config_for(layout.root), on_epoch=on_epoch)
        print("weights", card.weights_sha256, flush=True)
    """)
    command = [sys.executable, "-c", script, str(tmp_path)]
    process = subprocess.Popen([*command, "slow"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("tune 1"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list_models(Layout(tmp_path)) == []
    output = subprocess.run([*command, "quick"], capture_output=True, text=True, check=True).stdout.split("\n")
    assert "head 1" not in output
    assert f"weights {undisturbed.weights_sha256}" in output
    assert not list((tmp_path / "models").glob(".training-*"))


@pytest.mark.parametrize("counts", [{}, {"BLUE_A": (5, 0, 0)}])
def test_too_few_classes_are_refused(tmp_path: Path, counts: dict[str, tuple[int, int, int]]) -> None:
    with pytest.raises(DataSetError):
        train_model(split_of(tmp_path / "raw", counts), Layout(tmp_path), config_for(tmp_path))


def test_a_class_of_one_photo_and_no_val_set_can_be_trained(tmp_path: Path) -> None:
    split = split_of(tmp_path / "raw", {"BLUE_A": (4, 0, 0), "GREY_A": (1, 0, 0)})
    card = train_model(split, Layout(tmp_path), config_for(tmp_path, epochs_tune=1))
    assert card.classes == ["BLUE_A", "GREY_A"]
    assert "Off" in card.guard["note"]


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
                embeddings = (batch.embedding, batch.pretrained_embedding, batch.whole_embedding, batch.close_embedding)
                found[image_id] = b"".join(part[i].tobytes() for part in (batch.logits, *embeddings))
        return found

    together = features(photos)
    assert features(photos[::-1]) == together
    assert features([photos[5]]) == {"p5": together["p5"]}


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
        expected = {
            "whole_embedding": model.pretrained_block(whole).numpy(),
            "close_embedding": model.tuned_block(close).numpy(),
        }
    assert preprocess.views[-1] == "nameplate"
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(features, name), values, rtol=1e-4, atol=1e-5)


def features_with(logits: list[list[float]], model: MeterModel, similar_to: int | None = 0) -> Features:
    count, known = len(logits), model.reference.known
    like = known.pretrained[similar_to] if similar_to is not None else -known.pretrained.mean(axis=0)
    embedding = np.repeat(like[None], count, axis=0)
    colours = np.repeat(known.colours[similar_to or 0][None], count, axis=0)
    return Features(
        [f"p{i}" for i in range(count)],
        np.array(logits, np.float32),
        *[embedding] * 4,
        colours,
        nothing_read(count),
        {},
    )


def test_unknown_below_half_always_and_the_top_3_are_kept(model: MeterModel) -> None:
    just_below, just_above = np.log([0.499, 0.3, 0.201]), np.log([0.501, 0.3, 0.199])
    features = features_with([just_below.tolist(), just_above.tolist()], model)
    rows = decide(model, features, DecisionSettings(guard="off"))
    assert rows["final_prediction"].tolist() == ["UNKNOWN", model.classes[0]]
    assert rows["rule"].tolist() == ["threshold", "accepted"]
    assert rows.loc[0, ["top1_class", "top2_class", "top3_class"]].tolist() == model.classes
    assert rows.loc[0, "top1_confidence"] == pytest.approx(0.499, abs=1e-6)
    assert "below 50%" in rows.loc[0, "reason"]


def test_the_guard_speaks_where_a_confident_photo_looks_like_none_of_its_class(model: MeterModel) -> None:
    guarded = replace(model, card=replace(model.card, guard={"threshold": 0.6}))
    features = features_with([[9.0, 0.0, 0.0]], model, similar_to=None)
    row = decide(guarded, features, DecisionSettings()).iloc[0]
    assert (row["final_prediction"], row["rule"], row["top1_class"]) == ("UNKNOWN", "guard", model.classes[0])
    assert decide(guarded, features, DecisionSettings(guard="off")).iloc[0]["final_prediction"] == model.classes[0]


def test_a_name_that_is_not_sure_has_90_percent_at_most(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0], [0.9, 0.0, 0.0]], model)
    sure = decide(model, features, DecisionSettings(unknown_threshold=0.4, guard="off"))
    guard = {"threshold": -9.0, "sure_from": 9.0}
    careful = replace(model, card=replace(model.card, guard=guard))
    rows = decide(careful, features, DecisionSettings(unknown_threshold=0.4))
    assert (rows["rule"] == "accepted").all()
    assert rows["final_prediction"].tolist() == sure["final_prediction"].tolist() == [model.classes[0]] * 2
    assert rows["calibrated_confidence"].tolist() == [0.9, sure.loc[1, "calibrated_confidence"]]
    assert sure.loc[0, "calibrated_confidence"] > 0.9 > sure.loc[1, "calibrated_confidence"]
    assert rows["top1_confidence"].equals(sure["top1_confidence"])
    assert rows["reason"].str.contains("so 90% sure at most").all()
    own = {**guard, "sure_from": -9.0, "class_sure_from": {model.classes[0]: 9.0}}
    by_class = decide(
        replace(model, card=replace(model.card, guard=own)), features, DecisionSettings(unknown_threshold=0.4)
    )
    pd.testing.assert_frame_equal(by_class, rows)
    dark = decide(careful, features, DecisionSettings(unknown_threshold=0.4), {"p0": 12.0})
    assert dark.loc[0, "rule"] == "dark"
    assert dark.loc[0, "calibrated_confidence"] == sure.loc[0, "calibrated_confidence"]
    without = decide(careful, features, DecisionSettings(unknown_threshold=0.4, guard="off"))
    pd.testing.assert_frame_equal(without.drop(columns="guard_score"), sure.drop(columns="guard_score"))
    flagged = replace(model, card=replace(model.card, guard={"threshold": 9.0, "sure_from": 10.0}))
    unknown = decide(flagged, features, DecisionSettings(unknown_threshold=0.4))
    assert unknown["rule"].tolist() == ["guard", "guard"]  # of what is not named, the chance is that among known types
    assert unknown["calibrated_confidence"].equals(sure["calibrated_confidence"])


def test_dark_is_a_flag_that_blinds_nothing(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0]], model)
    row = decide(model, features, DecisionSettings(dark_brightness=30), {"p0": 12.0}).iloc[0]
    assert (row["final_prediction"], row["rule"], row["top1_class"]) == ("DARK", "dark", model.classes[0])
    assert row["top3_confidence"] is not None


def test_one_photo_and_a_batch_get_the_same_answer(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], model: MeterModel, tmp_path: Path
) -> None:
    layout = trained[0]
    paths = []
    for number, kind in enumerate(["BLUE_A", "RED_NEW", "WHITE_A"]):
        paths.append(tmp_path / f"{number}.jpg")
        draw(kind, 50 + number).save(paths[-1])
    lake = Layout(tmp_path).lake
    update_features(lake, IMAGE_FEATURES, model, [(str(i), path) for i, path in enumerate(paths)])
    batch = decide(model, features_of(lake, IMAGE_FEATURES, model.version, ["0", "1", "2"]), DecisionSettings())
    single = predict_photos(layout, paths, load_settings(data_dir=layout.root))
    assert [p.final_prediction for p in single] == batch["final_prediction"].tolist()
    assert [p.confidence for p in single] == batch["top1_confidence"].tolist()
    assert [p.reason for p in single] == batch["reason"].tolist()


def test_a_photo_that_is_none_is_an_error_with_its_reason(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], tmp_path: Path
) -> None:
    layout = trained[0]
    (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
    bad, missing = predict_photos(
        layout, [tmp_path / "text.jpg", tmp_path / "none.jpg"], load_settings(data_dir=layout.root)
    )
    assert (bad.final_prediction, missing.final_prediction) == ("ERROR", "ERROR")
    assert "No such file" in missing.reason


def test_no_champion_says_what_to_do(tmp_path: Path) -> None:
    assert champion_version(Layout(tmp_path)) is None
    with pytest.raises(NoChampionError, match=r"no model in use yet.*meter train"):
        load_model(Layout(tmp_path))


def copy_of_model(layout: Layout, to: Path) -> Path:
    import shutil

    shutil.copytree(layout.models, to / "models")
    return to / "models" / list_models(layout)[0]


def test_a_card_that_does_not_fit_its_weights_is_refused(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], tmp_path: Path
) -> None:
    folder = copy_of_model(trained[0], tmp_path)
    card = read_json(folder / "model.json")
    write_json(folder / "model.json", {**card, "classes": [*card["classes"], "EXTRA"]})
    with pytest.raises(WeightsError, match="card names 4 classes"):
        load_model(Layout(tmp_path))
    write_json(folder / "model.json", {**card, "weights_sha256": "0" * 64})
    with pytest.raises(WeightsError, match="not the one on the model's card"):
        load_model(Layout(tmp_path))
    (folder / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsError, match="card cannot be read"):
        load_card(Layout(tmp_path))


def test_a_damaged_or_missing_weights_file_is_refused(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], tmp_path: Path
) -> None:
    folder = copy_of_model(trained[0], tmp_path)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="hash is another"):
        load_model(Layout(tmp_path))
    weights.unlink()
    with pytest.raises(WeightsError, match="weights file is missing"):
        load_model(Layout(tmp_path))


def test_a_model_from_before_colours_were_kept_answers_with_its_own_guard(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]], tmp_path: Path
) -> None:
    layout, split, _, _ = trained
    folder = copy_of_model(layout, tmp_path)
    arrays = load_file(folder / "reference.safetensors")
    ids = json.dumps(load_model(layout).reference.image_ids)
    del arrays["colours"], arrays["printed"]
    save_file(arrays, folder / "reference.safetensors", metadata={"image_ids": ids})
    described = read_json(folder / "model.json")
    term = {"score": "pretrained similarity", "median": 0.8, "spread": 0.1}
    described["guard"] = {"terms": [term], "threshold": -9.0}
    write_json(folder / "model.json", described)
    set_champion(Layout(tmp_path), folder.name, reason="a test")
    photo = layout.raw / split["path"].iloc[0]
    old = predict_photos(Layout(tmp_path), [photo], load_settings(data_dir=tmp_path))[0]
    assert old.rule == "accepted"
    assert old.guard_score is not None
    assert 1.0 < old.guard_score < 2.0  # (similarity - 0.8) / 0.1: it is a train photo


def test_the_card_says_what_a_person_needs(
    trained: tuple[Layout, pd.DataFrame, ModelCard, list[EpochRecord]],
) -> None:
    layout, _, card, _ = trained
    stored = json.loads((layout.models / card.version / "model.json").read_text(encoding="utf-8"))
    assert {"classes", "backbone", "preprocess_id", "data_version", "config", "metrics", "libraries"} <= set(stored)
    assert stored["libraries"]["torch"]
    assert time.strptime(stored["created_at"][:19], "%Y-%m-%dT%H:%M:%S")
