"""The history of models: what took effect, who was rolled back, and where one goes back to."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.recognition import model_card
from meter_pipeline.recognition.model_card import champion_version, load_champion, load_history, set_champion
from meter_pipeline.recognition.model_history import HistoryEntry, ModelEvent, before, last_roll_back
from meter_pipeline.storage.layout import Layout


def use(layout: Layout, version: str, *, rolls_back: bool = False) -> None:
    set_champion(layout, version, reason=f"why {version}", by="anna", rolls_back=rolls_back)


def before_now(layout: Layout) -> str | None:
    version = champion_version(layout)
    assert version is not None
    return before(load_history(layout), version)


def test_every_change_is_recorded_with_who_when_and_why(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert load_history(layout) == []
    use(layout, "0001-a")
    use(layout, "0002-b")
    use(layout, "0001-a", rolls_back=True)
    history = load_history(layout)
    assert [(entry.version, entry.event, entry.replaced) for entry in history] == [
        ("0001-a", ModelEvent.ACCEPTED, None),
        ("0002-b", ModelEvent.ACCEPTED, "0001-a"),
        ("0002-b", ModelEvent.ROLLED_BACK, None),
        ("0001-a", ModelEvent.RETURNED, "0002-b"),
    ]
    assert {entry.by for entry in history} == {"anna"}
    assert history[2].reason == "why 0001-a"
    champion = load_champion(layout)
    assert champion is not None
    assert champion.since == history[-1].at


def test_going_back_leads_past_models_that_were_rolled_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    use(layout, "a")
    assert before_now(layout) is None
    use(layout, "b")
    use(layout, "c")
    assert before_now(layout) == "b"
    use(layout, "b", rolls_back=True)
    assert before_now(layout) == "a"
    use(layout, "d")
    assert before_now(layout) == "b"
    use(layout, "b", rolls_back=True)
    use(layout, "a", rolls_back=True)
    assert before_now(layout) is None


def test_a_model_that_came_into_use_again_is_no_longer_rolled_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    use(layout, "a")
    use(layout, "b")
    use(layout, "a", rolls_back=True)
    entry = last_roll_back(load_history(layout), "b")
    assert entry is not None
    assert (entry.by, entry.reason) == ("anna", "why a")
    assert last_roll_back(load_history(layout), "a") is None
    use(layout, "b")
    assert last_roll_back(load_history(layout), "b") is None


def test_a_change_that_was_killed_before_it_took_effect_is_passed_over_and_then_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    use(layout, "a")
    use(layout, "b")
    took_effect = load_history(layout)
    with monkeypatch.context() as patch:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(model_card, "write_sealed", killed)
        with pytest.raises(KeyboardInterrupt):
            use(layout, "a", rolls_back=True)
    assert "rolled_back" in layout.model_history.read_text(encoding="utf-8")
    assert champion_version(layout) == "b"
    assert load_history(layout) == took_effect
    use(layout, "c")
    assert [entry.version for entry in load_history(layout)] == ["a", "b", "c"]
    assert "rolled_back" not in layout.model_history.read_text(encoding="utf-8")


def test_a_first_change_that_was_killed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(model_card, "write_sealed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            use(layout, "a")
    assert load_history(layout) == []
    use(layout, "b")
    assert [(entry.version, entry.replaced) for entry in load_history(layout)] == [("b", None)]


def test_a_model_that_was_put_into_use_by_hand_keeps_the_history(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    use(layout, "a")
    use(layout, "b")
    layout.champion.write_text('{"version": "x", "reason": "by hand", "since": "2026-01-01T00:00:00+00:00"}')
    assert [entry.version for entry in load_history(layout)] == ["a", "b"]
    assert before_now(layout) == "b"


@pytest.mark.parametrize("damaged", ["{", "[1]", '[{"version": "a"}]', '[{"version": "a", "event": "eaten"}]'])
def test_a_damaged_history_is_said_and_not_overwritten(tmp_path: Path, damaged: str) -> None:
    layout = Layout(tmp_path)
    use(layout, "a")
    layout.model_history.write_text(damaged, encoding="utf-8")
    with pytest.raises(MeterError, match=r"cannot be read.*history\.json"):
        use(layout, "b")
    assert layout.model_history.read_text(encoding="utf-8") == damaged
    assert champion_version(layout) == "a"


def test_an_entry_is_what_the_file_says(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    champion = set_champion(layout, "a", reason="first", by="gate")
    assert load_history(layout) == [
        HistoryEntry("a", ModelEvent.ACCEPTED, champion.since, by="gate", reason="first", replaced=None)
    ]
