"""Print on plates: read by the real reader, kept as codes without numbers, strange where networks see nothing."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition import plate_reading
from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.recognition.image_features import features_of, update_features
from meter_pipeline.recognition.model_card import set_champion
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.recognition.plate_reading import (
    CODES_PER_PHOTO,
    NOTHING,
    SYMBOLS,
    codes_of,
    kept_codes,
    nothing_read,
    plate_codes,
    read_lines,
    read_plates,
)
from meter_pipeline.recognition.scores import FAMILIAR_PRINT, familiar_print
from meter_pipeline.recognition.single_photo import predict_content
from meter_pipeline.settings import DecisionSettings, TrainingSettings, load_settings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_FEATURES
from meter_pipeline.training.trained_model import train_model

SINGLE = ("SINGLE PHASE ELECTRONIC METER", "IEC62053 kWh")
THREE = ("THREE PHASE ELECTRONIC METER", "IEC62053 kWh")
FOURTH = ("STATIC PREPAYMENT UNIT", "PULSE OUTPUT")
THIRD = ("KILOWATT HOURS INDIA", "CLASS 2 IS13010")
OTHER = ("ALTERNATING CURRENT", "WATTHOUR MADE FOR PEA")


def plate(lines: tuple[str, ...], seed: int = 0, ground: tuple[int, int, int] = (226, 226, 220)) -> bytes:
    """A photo of a plate, its serial number and light drawn from the seed."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (360, 240), ground)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(19)
    for number, line in enumerate((*lines, f"No. {random.integers(10**7, 10**8)}")):
        pen.text((12 + int(random.integers(15)), 40 + 60 * number), line, fill=(15, 15, 20), font=font)
    light = random.uniform(0.8, 1.0)
    noisy = np.asarray(image, np.float32) * light + random.normal(scale=4, size=(240, 360, 3))
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def spelled(codes: np.ndarray) -> set[str]:
    size = len(SYMBOLS)
    return {SYMBOLS[c // size**2] + SYMBOLS[c // size % size] + SYMBOLS[c % size] for c in codes[codes >= 0]}


def score_of(model: MeterModel, features: Features) -> float:
    return decide(model, features, DecisionSettings())[0].guard_score


def without_print(features: Features) -> Features:
    nothing = nothing_read(len(features.image_ids))
    return replace(features, embeddings=replace(features.embeddings, printed=nothing))


@given(st.lists(st.tuples(st.text(max_size=40), st.floats(0, 1)), max_size=12))
def test_any_text_gives_codes_in_order_and_no_long_number_is_in_one(lines: list[tuple[str, float]]) -> None:
    codes = codes_of(lines)
    count = int((codes >= 0).sum())
    assert codes.shape == (CODES_PER_PHOTO,)
    assert codes.dtype == np.int32
    assert (np.diff(codes[:count]) > 0).all()
    assert (codes[count:] == NOTHING).all()
    assert all(sum(symbol.isalpha() for symbol in code) > 1 for code in spelled(codes))
    assert np.array_equal(codes, codes_of(lines[::-1]))


def test_numbers_leave_no_trace_and_what_was_read_unsurely_neither() -> None:
    assert spelled(codes_of([("5701471360", 1.0), ("Konto 12345678", 0.99), ("METER", 0.5)])) == {
        "KON",
        "ONT",
        "NTO",
        "TO#",
    }
    assert spelled(codes_of([("m\u00e9t\u00e9r", 0.9)])) == {"MET", "ETE", "TER"}


def test_strange_print_is_told_from_print_that_is_only_half_there() -> None:
    known = np.stack([codes_of([(line, 1.0) for line in lines]) for lines in (SINGLE,) * 4 + (OTHER,) * 4])
    labels = np.repeat([0, 1], 4)
    asked = np.stack([codes_of([(line, 1.0) for line in lines]) for lines in (SINGLE, SINGLE[:1], THREE, OTHER)])
    whole, half, three, other = familiar_print(asked, np.zeros(4, np.int64), known, labels)
    assert (whole, half) == (0, 0)
    assert -1 < three < -0.1
    assert other < -0.9


def test_print_says_nothing_where_too_little_was_read_of_the_photo_or_of_the_class() -> None:
    known = np.stack([codes_of([(SINGLE[0], 1.0)])] * 2 + [codes_of([(OTHER[0], 1.0)])] * 3 + [codes_of([])])
    labels = np.array([0, 0, 1, 1, 1, 1])
    asked = np.stack([codes_of([(SINGLE[0], 1.0)]), codes_of([("KWH", 1.0)]), codes_of([(OTHER[0], 1.0)])])
    assert np.isnan(familiar_print(asked, np.array([0, 1, 1]), known, labels)).tolist() == [True, True, False]
    assert np.isnan(familiar_print(nothing_read(2), np.array([0, 1]), nothing_read(6), labels)).all()


@pytest.mark.slow
def test_a_plate_is_read_once_and_what_was_read_is_kept(tmp_path: Path) -> None:
    content = plate(THREE)
    image_id = hashlib.sha256(content).hexdigest()
    codes = plate_codes(content, image_id=image_id, folder=tmp_path)
    assert {"THR", "HRE", "REE", "PHA", "HAS", "ETE", "TER"} <= spelled(codes)
    assert np.array_equal(plate_codes(b"not read again", image_id=image_id, folder=tmp_path), codes)
    assert np.array_equal(plate_codes(content, image_id=image_id), codes)
    kept_codes(tmp_path, image_id).write_bytes(b"cut short")
    assert np.array_equal(plate_codes(content, image_id=image_id, folder=tmp_path), codes)
    assert np.array_equal(np.load(kept_codes(tmp_path, image_id)), codes)


@pytest.mark.slow
def test_many_plates_are_read_in_order_and_only_those_that_were_not_read_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = []
    for name, content in (("aa", plate(THREE)), ("bb", b"no photo"), ("cc", plate(OTHER)), ("dd", plate(SINGLE))):
        (tmp_path / name).write_bytes(content)
        photos.append((name, tmp_path / name))
    expected = [codes_of(read_lines(path)) if name != "bb" else nothing_read(1)[0] for name, path in photos]
    (tmp_path / "dd").unlink()
    kept = kept_codes(tmp_path, "dd")
    kept.parent.mkdir(parents=True)
    np.save(kept, expected[3])
    with caplog.at_level(logging.INFO):
        codes = read_plates(photos, tmp_path)
        assert np.array_equal(codes, expected)
        assert "Plates: 3 of 4 photos to read" in caplog.text
        assert "1 of 4 photos are lost or damaged" in caplog.text
        assert np.array_equal(read_plates(photos, tmp_path), codes)
        assert "Plates: 1 of 4 photos to read" in caplog.text
    assert codes.dtype == np.int32
    assert {"THR", "HRE"} <= spelled(codes[0])


def test_of_no_photos_nothing_is_read(tmp_path: Path) -> None:
    assert read_plates([], tmp_path).shape == (0, CODES_PER_PHOTO)


def test_a_photo_without_print_says_nothing() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), (90, 90, 90)).save(buffer, "JPEG")
    assert read_lines(buffer.getvalue()) == []


def test_a_reader_that_breaks_on_a_photo_leaves_nothing_behind_and_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def broken(_: np.ndarray) -> None:
        raise RuntimeError("of the reader")

    monkeypatch.setattr(plate_reading, "_load_reader", lambda: broken)
    with caplog.at_level(logging.WARNING):
        assert (plate_codes(plate(SINGLE), image_id="ab12", folder=tmp_path) == NOTHING).all()
    assert "The plate of ab12 could not be read (RuntimeError)" in caplog.text
    assert not kept_codes(tmp_path, "ab12").exists()


def test_a_reader_that_does_not_start_stops_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise ImportError("a library of the system")

    monkeypatch.setattr(plate_reading, "_load_reader", missing)
    with pytest.raises(MeterError, match="does not start: ImportError"):
        plate_codes(plate(SINGLE), image_id="ab12", folder=tmp_path)


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plate_reading, "find_spec", lambda _: None)
    config = TrainingSettings.from_settings(load_settings(data_dir=tmp_path, read_plates=True))
    with pytest.raises(MeterError, match="rapidocr") as raised:
        train_model(pd.DataFrame(), Layout(tmp_path), config)
    assert "meter-pipeline[plates]" in str(raised.value)


@pytest.mark.slow
def test_a_model_that_reads_plates_tells_a_type_that_differs_in_print_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    rows = []
    classes = {
        **{"SINGLE": (SINGLE, (226, 226, 220)), "OTHER": (OTHER, (90, 130, 210))},
        **{"THIRD": (THIRD, (220, 130, 90)), "FOURTH": (FOURTH, (120, 200, 120))},
    }
    for label, (lines, ground) in classes.items():
        for number in range(22):
            content = plate(lines, seed=len(rows), ground=ground)
            image_id = hashlib.sha256(content).hexdigest()
            layout.raw.joinpath(label).mkdir(parents=True, exist_ok=True)
            layout.raw.joinpath(label, f"{number}.jpg").write_bytes(content)
            kept = kept_codes(layout.plates, image_id)  # as read before: 88 photos would take long
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, codes_of([(line, 1.0) for line in (*lines, "No. 12345678")]))
            rows.append(
                {"path": f"{label}/{number}.jpg", "image_id": image_id, "group_id": image_id[:12], "label": label}
            )
    split = pd.DataFrame(rows).assign(split="train")
    small = {"backbone": "efficientnet_lite0", "epochs_head": 3, "epochs_tune": 0, "train_views": 3, "guard_folds": 2}
    settings = load_settings(data_dir=tmp_path, read_plates=True, **small)
    card = train_model(split, layout, TrainingSettings.from_settings(settings))
    model = load_model(layout, card.version)
    assert model.reads_plates
    assert FAMILIAR_PRINT in [term["score"] for term in card.guard["terms"]]
    set_champion(layout, card.version, reason="for a test")

    photos = [(f"{name}.jpg", plate(lines, seed=900)) for name, lines in (("single", SINGLE), ("three", THREE))]
    single, three = (predict_content(content, name, model, DecisionSettings()) for name, content in photos)
    lost = []
    for prediction, features in (single, three):
        assert prediction.decision is not None
        assert features is not None
        assert prediction.decision.best.class_name == "SINGLE"
        lost.append(score_of(model, without_print(features)) - score_of(model, features))
    assert lost[0] == pytest.approx(0, abs=1e-6)
    assert lost[1] > 0.5

    paths = []
    for name, content in photos:
        (tmp_path / name).write_bytes(content)
        paths.append((hashlib.sha256(content).hexdigest(), tmp_path / name))
    assert update_features(layout.lake, IMAGE_FEATURES, model, paths, plates=layout.plates) == 2
    kept = features_of(layout.lake, IMAGE_FEATURES, model.version, [image_id for image_id, _ in paths])
    assert kept.embeddings.printed.tolist() == [plate_codes(content, image_id="").tolist() for _, content in photos]
    assert Guard.from_card(card.guard).uses(FAMILIAR_PRINT)

    by_print = Guard((Term(FAMILIAR_PRINT, 0.0, 0.05),), -1.0)
    strict = replace(model, card=replace(card, guard=by_print.as_card()))
    passed, flagged = decide(strict, kept, DecisionSettings(unknown_threshold=0.0))
    assert (passed.final_label, flagged.final_label) == ("SINGLE", "UNKNOWN")
    assert "furthest in its print" in flagged.reason

    monkeypatch.setattr(plate_reading, "find_spec", lambda _: None)
    with pytest.raises(MeterError, match="Plates cannot be read"):
        predict_content(photos[0][1], "single", model, DecisionSettings())
