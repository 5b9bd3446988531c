"""Models as the dashboard shows them: from their files alone, with what was measured of them and what is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.dashboard.browsing.models import (
    CaughtShare,
    caught_shares,
    guard_facts,
    list_models,
    not_in_use,
    read_evaluation,
    version_rows,
)
from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate.verdict import judge
from meter_pipeline.evaluation.gate_report import report_of, write_gate_report
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.model_card import set_challenger, set_champion
from meter_pipeline.recognition.model_history import BY_THE_GATE
from meter_pipeline.storage.csv_cells import csv_bytes
from meter_pipeline.storage.files import write_bytes, write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.contenders import answers, contender
from meter_pipeline_tests.support.model_cards import write_card


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Two models; the first one is in use and was evaluated."""
    layout = Layout(tmp_path)
    write_card(layout, "0001-a", ["GREY", "BLUE"])
    write_card(layout, "0002-b", ["GREY", "BLUE", "WHITE"])
    set_champion(layout, "0001-a", reason="0001-a is the first model.", by=BY_THE_GATE)
    write_json(layout.evaluation("0001-a") / "metrics.json", {"photos": 4, "accuracy": 0.75, "macro_recall": 0.5})
    return layout


def test_versions_are_listed_newest_first_with_what_was_measured(layout: Layout) -> None:
    models = list_models(layout)
    assert models.champion is not None
    assert (models.champion.version, models.champion.reason) == ("0001-a", "0001-a is the first model.")
    second, first = version_rows(layout, models)
    assert (second.version, second.in_use, second.classes, second.accuracy) == ("0002-b", False, 3, None)
    assert (first.version, first.in_use, first.photos, first.macro_recall) == ("0001-a", True, 7, 0.5)


def test_a_challenger_that_the_gate_keeps_out_is_shown_until_a_person_decides(layout: Layout) -> None:
    assert not_in_use(layout) is None
    set_challenger(layout, "0002-b")
    assert not_in_use(layout) is None, "it was not judged yet"
    forgetful = contender("0002-b", ["GREY", "BLUE"], answers({"GREY": 0, "BLUE": 9}))
    known = contender("0001-a", ["GREY", "BLUE"], answers({"GREY": 9, "BLUE": 9}))
    write_gate_report(layout, report_of(judge(forgetful, known, tolerance=0.01)))
    found = not_in_use(layout)
    assert found is not None
    assert (found.version, found.outcome) == ("0002-b", Outcome.REFUSED)
    set_champion(layout, "0002-b", reason="a person wants it", by="anna")
    assert not_in_use(layout) is None


def test_the_version_to_go_back_to_is_the_one_in_use_before(layout: Layout) -> None:
    assert list_models(layout).before is None
    set_champion(layout, "0002-b", reason="a person wants it", by="anna")
    assert list_models(layout).before == "0001-a"


def test_a_damaged_card_is_said_and_the_others_are_shown(layout: Layout) -> None:
    damaged = layout.models / "0003-c" / "model.json"
    damaged.parent.mkdir()
    damaged.write_text("{", encoding="utf-8")
    models = list_models(layout)
    assert list(models.cards) == ["0002-b", "0001-a"]
    (problem,) = models.problems
    assert str(damaged) in problem


@pytest.mark.parametrize("damaged", ["", "{", "[]"])
@pytest.mark.parametrize("name", ["champion", "history", "metrics", "gate"])
def test_a_damaged_file_beside_the_cards_is_said_and_the_models_are_shown(
    layout: Layout, name: str, damaged: str
) -> None:
    files = {
        "champion": layout.champion,
        "history": layout.model_history,
        "metrics": layout.evaluation_metrics("0001-a"),
        "gate": layout.gate_report("0001-a"),
    }
    files[name].parent.mkdir(parents=True, exist_ok=True)
    files[name].write_text(damaged, encoding="utf-8")
    models = list_models(layout)
    assert list(models.cards) == ["0002-b", "0001-a"]
    (problem,) = models.problems
    assert str(files[name]) in problem
    assert [row.version for row in version_rows(layout, models)] == ["0002-b", "0001-a"]
    assert not_in_use(layout) is None


def test_an_evaluation_that_cannot_be_read_is_said(layout: Layout) -> None:
    layout.evaluation_metrics("0001-a").write_text("{", encoding="utf-8")
    with pytest.raises(MeterError, match=r"evaluation is cut.*metrics\.json"):
        read_evaluation(layout, "0001-a")
    layout.evaluation_metrics("0001-a").unlink()
    (layout.evaluation("0001-a") / "coverage.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MeterError, match=r"coverage\.csv"):
        read_evaluation(layout, "0001-a")


def test_without_models_there_is_nothing_to_show(tmp_path: Path) -> None:
    models = list_models(Layout(tmp_path))
    assert (models.champion, models.cards, models.problems) == (None, {}, [])
    assert version_rows(Layout(tmp_path), models) == []


def test_an_evaluation_is_read_as_it_was_written(layout: Layout) -> None:
    folder = layout.evaluation("0001-a")
    write_bytes(folder / "confused_pairs.csv", csv_bytes(["true_class", "count"], [["=GREY", 2], ["NA", 1]]))
    evaluation = read_evaluation(layout, "0001-a")
    assert evaluation.metrics["accuracy"] == 0.75
    assert list(evaluation.tables) == ["confused_pairs"]
    assert evaluation.tables["confused_pairs"].to_dict("list") == {"true_class": ["=GREY", "NA"], "count": [2, 1]}
    assert evaluation.page is None
    (folder / "index.html").touch()
    assert evaluation.page == folder / "index.html"
    assert read_evaluation(layout, "0002-b").metrics == {}


def test_what_the_guard_catches_is_one_row_per_limit() -> None:
    row = {"known_limit": 0.05, "known_flagged": 0.04, "threshold": -5.5, "caught": 0.8}
    curve = {"auroc": 0.9, "oscr": 0.8, "photos": 30, "caught": [row]}
    expected = CaughtShare("hidden classes", photos=30, auroc=0.9, known_limit=0.05, threshold=-5.5, caught=0.8)
    assert caught_shares({"unknown_curves": {"hidden classes": curve}}) == [expected]
    assert caught_shares({}) == []


def test_classes_with_too_few_photos_for_the_guard_are_named() -> None:
    card = {"threshold": -3.5, "class_thresholds": {}, "known_flagged_limit": 0.05, "needs_photos": 14}
    facts = guard_facts(card | {"below_promise": ["LT_WHITE_A", "SECURE_A"], "flagged_below": 0.11})
    assert (
        facts["Photos to train on that a class needs until at most 5.0% of its known photos are sent to UNKNOWN"]
        == "14"
    )
    assert facts["Classes with fewer"] == "LT_WHITE_A, SECURE_A (about 11.0% of their known photos are sent there)"
    enough = guard_facts(card | {"needs_photos": 5, "below_promise": [], "flagged_below": None})
    assert enough["Classes with fewer"] == "none"
    never = guard_facts(card | {"needs_photos": None, "below_promise": ["SECURE_A"], "flagged_below": 0.2})
    assert "more than any class has" in never.values()
    assert not any("fewer" in name for name in guard_facts({"threshold": -3.5}))
    assert list(guard_facts({"threshold": None}).values()) == ["off: too few photos to choose one"]
