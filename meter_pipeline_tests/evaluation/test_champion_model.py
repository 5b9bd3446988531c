"""Who is in use: the first model comes in, a challenger is judged on photos and drops, a person has the last word."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from meter_pipeline.errors import MeterError, NoChampionError
from meter_pipeline.evaluation.champion_model import accept_model, challenge, roll_back
from meter_pipeline.evaluation.gate_report import read_gate_report
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.image_features import compute_features
from meter_pipeline.recognition.model_card import (
    WEIGHTS,
    ModelCard,
    champion_version,
    load_champion,
    load_history,
    save_card,
)
from meter_pipeline.settings import DecisionSettings, GateSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, DROP_ROWS, IMAGE_FEATURES, REVIEWED_IMAGES, URL_IMAGES
from meter_pipeline.training.trained_model import train_model
from meter_pipeline_tests.support.patterns import draw, split_of
from meter_pipeline_tests.support.small_models import COUNTS, Trained, config_for

pytestmark = pytest.mark.slow

RULES, GATE = DecisionSettings(), GateSettings()
DROPPED = {"BLUE_A": 4, "GREY_A": 4, "RED_NEW": 4}
"""Photos of a drop; RED_NEW is what the challenger learned."""


@pytest.fixture
def first(drawn_model: Trained, tmp_path: Path) -> Layout:
    """A data directory with one model and its split."""
    layout = Layout(tmp_path / "data")
    shutil.copytree(drawn_model.layout.root, layout.root)
    layout.lake.replace(DATASET_SPLIT, drawn_model.split)
    return layout


@pytest.fixture(scope="module")
def trained_again(
    drawn_model: Trained, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Layout, ModelCard, ModelCard]:
    """A data directory with a model in use, a drop that it named, one that learned RED_NEW, one with swapped labels."""
    layout = Layout(tmp_path_factory.mktemp("again") / "data")
    shutil.copytree(drawn_model.layout.root, layout.root)
    _drop_photos(layout)
    compute_features(layout)
    split = split_of(layout.raw, {**COUNTS, "RED_NEW": (8, 0, 4)})
    learned = train_model(split, layout, config_for(layout.root))
    swap = {"BLUE_A": "GREY_A", "GREY_A": "BLUE_A"}
    is_train = split["split"] != "test"
    swapped = split.assign(label=split["label"].where(~is_train, split["label"].replace(swap)))
    swapped_card = train_model(swapped, layout, config_for(layout.root))
    layout.lake.replace(DATASET_SPLIT, split)
    return layout, learned, swapped_card


@pytest.fixture
def again(trained_again: tuple[Layout, ModelCard, ModelCard], tmp_path: Path) -> tuple[Layout, str, str]:
    """The same, to be changed: the directory, and the versions with RED_NEW and with swapped labels."""
    layout = Layout(tmp_path / "again")
    shutil.copytree(trained_again[0].root, layout.root)
    return layout, trained_again[1].version, trained_again[2].version


def _drop_photos(layout: Layout) -> None:
    """Put photos of a drop into the store and the tables, one of them marked as junk."""
    rows, urls = [], []
    for kind, count in DROPPED.items():
        for number in range(count):
            image_id, url = f"d{kind.lower()}{number}", f"https://host/{kind}/{number}.jpg"
            layout.image(image_id).parent.mkdir(parents=True, exist_ok=True)
            draw(kind, 500 + number).save(layout.image(image_id), quality=90)
            rows.append({"drop": "june", "position": len(rows), "image_url": url})
            urls.append({"image_url": url, "image_id": image_id, "brightness": 120.0, "fetched_at": "2026-06-01"})
    junk = {"image_id": "dred_new0", "action": "junk", "at": "2026-06-02T00:00:00+00:00", "disputed": False}
    for spec, content in ((DROP_ROWS, rows), (URL_IMAGES, urls), (REVIEWED_IMAGES, [junk])):
        layout.lake.replace(spec, pd.DataFrame(content).reindex(columns=list(spec.columns)))


def test_the_first_model_is_put_into_use_and_stays_when_it_is_judged_again(drawn_model: Trained, first: Layout) -> None:
    version = drawn_model.card.version
    first.champion.unlink()
    judged = challenge(first, version, RULES, GATE)
    assert judged.accepted
    assert "first model" in judged.reason
    assert champion_version(first) == version
    report = read_gate_report(first, version)
    assert report is not None
    assert report.reason == judged.reason
    content, history = first.champion.read_bytes(), first.model_history.read_bytes()
    again = challenge(first, version, RULES, GATE)
    assert again.reason == f"{version} is already the champion."
    assert first.champion.read_bytes() == content
    assert first.model_history.read_bytes() == history
    assert read_gate_report(first, version) == report


def test_a_challenger_is_judged_on_the_test_photos_and_on_the_last_drop(again: tuple[Layout, str, str]) -> None:
    layout, version, _ = again
    before = champion_version(layout)
    held = challenge(layout, version, RULES, GATE)
    report = read_gate_report(layout, version)
    assert report is not None
    assert (report.champion, report.outcome) == (before, Outcome.HELD)
    assert [photo["image_id"] for photo in report.rejected] == ["dred_new0"]
    assert "Names that a person rejected come back on 1 of 1 such photos (RED_NEW)" in held.reason
    assert report.comparison["n_common"] == 6, "three test photos of each of two old classes"
    assert [(row["class"], row["photos"], row["recall"]) for row in report.new_classes] == [("RED_NEW", 4, 1.0)]
    assert report.replay["photos"] == 11, "the one that is junk is judged as that"
    assert [(row["kind"], row["photos"]) for row in report.changes] == [("to a new class", 3)]
    kept = layout.lake.read(IMAGE_FEATURES, where=pc.field("model_version") == version)
    assert kept.num_rows == 12, "what the new model needs once it is in use is there"
    assert champion_version(layout) == before


def test_a_challenger_that_nothing_speaks_against_is_in_use_with_the_gates_words(
    again: tuple[Layout, str, str],
) -> None:
    layout, version, _ = again
    before = champion_version(layout)
    layout.lake.replace(REVIEWED_IMAGES, layout.lake.frame(REVIEWED_IMAGES).iloc[:0])
    verdict = challenge(layout, version, RULES, GATE)
    assert verdict.outcome == Outcome.ACCEPTED
    champion, entry = load_champion(layout), load_history(layout)[-1]
    assert champion is not None
    assert (champion.version, champion.reason) == (version, verdict.reason)
    assert (entry.version, entry.by, entry.replaced) == (version, "gate", before)


def test_a_photo_that_is_no_longer_in_the_store_is_passed_over(again: tuple[Layout, str, str]) -> None:
    layout, version, _ = again
    layout.image("dblue_a0").unlink()
    assert challenge(layout, version, RULES, GATE).replay.photos == 10


def test_a_model_trained_on_swapped_labels_does_not_come_in(again: tuple[Layout, str, str]) -> None:
    layout, _, swapped = again
    before = champion_version(layout)
    verdict = challenge(layout, swapped, RULES, GATE)
    assert verdict.outcome == Outcome.REFUSED
    assert champion_version(layout) == before


def test_a_person_accepts_and_goes_back_and_the_gate_holds_what_was_rolled_back(
    again: tuple[Layout, str, str],
) -> None:
    layout, version, _ = again
    before = champion_version(layout)
    accepted = accept_model(layout, version, why=" it knows RED_NEW ", by="anna")
    assert (accepted.version, accepted.reason) == (version, "Accepted by anna: it knows RED_NEW")
    assert accept_model(layout, version, why="again", by="ben") == accepted, "it is in use already"
    back = roll_back(layout, why="names red flats", by="ben")
    assert (back.version, back.reason) == (before, f"Rolled back from {version} by ben: names red flats")
    assert load_champion(layout) == back
    verdict = challenge(layout, version, RULES, GATE)
    assert verdict.outcome != Outcome.ACCEPTED
    assert "was rolled back" in verdict.reason
    assert "by ben" in verdict.reason
    assert "names red flats" in verdict.reason
    assert champion_version(layout) == before
    assert accept_model(layout, version, why="corrected", by="").reason == "Accepted: corrected"
    assert [(entry.event, entry.version) for entry in load_history(layout)][-4:] == [
        ("accepted", version),
        ("rolled_back", version),
        ("returned", before),
        ("accepted", version),
    ]


def test_what_cannot_be_done_is_said_and_changes_nothing(drawn_model: Trained, first: Layout) -> None:
    version = drawn_model.card.version
    content = first.champion.read_bytes()
    with pytest.raises(MeterError, match=f"No model was in use before {version}"):
        roll_back(first, why="why not", by="anna")
    with pytest.raises(MeterError, match="in use already"):
        roll_back(first, version, why="why not", by="anna")
    with pytest.raises(MeterError, match="no model 0009-x"):
        roll_back(first, "0009-x", why="why not", by="anna")
    with pytest.raises(MeterError, match="no model 0009-x"):
        accept_model(first, "0009-x", why="why not", by="anna")
    for other in ("0002-damaged", "0003-fine"):
        shutil.copytree(first.models / version, first.models / other)
        save_card(first.models / other, replace(drawn_model.card, version=other))
    (first.models / "0002-damaged" / WEIGHTS).write_bytes(b"half of it")
    with pytest.raises(MeterError, match="does not hold what was written"):
        accept_model(first, "0002-damaged", why="why not", by="anna")
    with pytest.raises(MeterError, match="No reason was given"):
        accept_model(first, "0003-fine", why="  ", by="anna")
    assert first.champion.read_bytes() == content
    first.champion.unlink()
    with pytest.raises(NoChampionError, match="no model in use yet"):
        roll_back(first, why="why not", by="anna")
