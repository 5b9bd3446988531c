"""Which models there are, which one is in use, and what is said where there is none or a card is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.errors import NoChampionError, WeightsError
from meter_pipeline.recognition.model_card import (
    challenger_version,
    champion_version,
    load_card,
    load_cards,
    load_champion,
    restore_champion,
    set_challenger,
    set_champion,
)
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.model_cards import write_card


def test_no_champion_says_what_to_do(tmp_path: Path) -> None:
    assert champion_version(Layout(tmp_path)) is None
    with pytest.raises(NoChampionError, match=r"no model in use yet.*meter train"):
        load_model(Layout(tmp_path))


def test_the_model_in_use_is_kept_with_the_reason(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert load_champion(layout) is None
    set_champion(layout, "0001-a", reason="0001-a is the first model.")
    champion = load_champion(layout)
    assert champion is not None
    assert (champion.version, champion.reason) == ("0001-a", "0001-a is the first model.")
    assert champion.since.endswith("+00:00")


@pytest.mark.parametrize("damaged", ["{", "[]", '{"version": "0002-b"}', "\ufffd"])
def test_a_damaged_card_is_named_and_hides_no_other(tmp_path: Path, damaged: str) -> None:
    layout = Layout(tmp_path)
    first, third = write_card(layout, "0001-a", ["A", "B"]), write_card(layout, "0003-c", ["A"])
    path = layout.models / "0002-b" / "model.json"
    path.parent.mkdir()
    path.write_text(damaged, encoding="utf-8")
    cards, problems = load_cards(layout)
    assert cards == [first, third]
    (problem,) = problems
    assert str(path) in str(problem)
    with pytest.raises(WeightsError, match="The model's card"):
        load_card(layout, "0002-b")


DAMAGED_NOTES = ["", "{", "{}", "[]", '{"version": 3, "reason": "", "since": ""}', '{"version": "0001-a"}', "\ufffd"]


@pytest.mark.parametrize("damaged", [*DAMAGED_NOTES, "one letter"])
def test_a_damaged_note_of_the_model_in_use_is_said_and_made_again_from_the_history(
    tmp_path: Path, damaged: str
) -> None:
    layout = Layout(tmp_path)
    write_card(layout, "0001-a", ["A", "B"])
    champion = set_champion(layout, "0001-a", reason="it is the first")
    text = layout.champion.read_text(encoding="utf-8")
    layout.champion.write_text(text.replace("first", "fikst") if damaged == "one letter" else damaged, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"verify --mend") as refused:
        champion_version(layout)
    assert refused.value.where == str(layout.champion)
    assert restore_champion(layout) == champion == load_champion(layout)


def test_without_a_model_that_can_be_read_no_note_is_made_again(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert restore_champion(layout) is None
    set_champion(layout, "0001-a", reason="its folder is lost")
    layout.champion.write_text("{", encoding="utf-8")
    assert restore_champion(layout) is None


@pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"version": "0001-a", "sha256": "0"}'])
def test_a_damaged_note_of_the_last_training_is_said(tmp_path: Path, damaged: str) -> None:
    layout = Layout(tmp_path)
    set_challenger(layout, "0001-a")
    assert challenger_version(layout) == "0001-a"
    layout.challenger.write_text(damaged, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"challenger\.json.*meter train"):
        challenger_version(layout)
