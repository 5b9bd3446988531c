"""`meter model`: which models there are, what the gate said, and what is printed of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from meter_pipeline.cli.main import app
from meter_pipeline.cli.model import print_verdict
from meter_pipeline.cli.terminal import console, error_console
from meter_pipeline.errors import WeightsError
from meter_pipeline.evaluation.gate.verdict import judge
from meter_pipeline.evaluation.gate_report import report_of, write_gate_report
from meter_pipeline.recognition.model_card import load_card, save_card, set_challenger, set_champion
from meter_pipeline.recognition.model_files import CARD
from meter_pipeline.storage.files import write_json
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.contenders import answers, contender
from meter_pipeline_tests.support.model_cards import write_card

OLD, NEW = "0001-aaaa", "0002-bbbb"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Two models: the first is in use, the second forgets a class and waits for a named one."""
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path / "data"))
    for terminal in (console, error_console):
        monkeypatch.setattr(terminal, "width", 200)
    layout = Layout(tmp_path / "data")
    for version in (OLD, NEW):
        write_card(layout, version, ["A", "B"])
    waiting = {"HPL": {"photos": 4, "meters": 2, "needed": 3}}
    save_card(layout.models / NEW, replace(load_card(layout, NEW), preprocess={"direction": []}, waiting=waiting))
    write_json(layout.evaluation_metrics(NEW), {"accuracy": 0.75})
    set_champion(layout, OLD, reason="the first")
    set_challenger(layout, NEW)
    challenger = contender(NEW, ["A", "B"], answers({"A": 10, "B": 0}))
    verdict = judge(challenger, contender(OLD, ["A", "B"], answers({"A": 10, "B": 10})), tolerance=0.01)
    write_gate_report(layout, replace(report_of(verdict), created_at="2026-11-28T18:00:00+00:00"))
    return layout


def meter(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["model", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_says_what_is_in_use_what_the_gate_said_and_which_classes_wait(layout: Layout) -> None:
    new, old = json.loads(meter("list", "--json"))["models"]
    assert (old["version"], old["in_use"], old["gate"], old["accuracy"]) == (OLD, True, None, None)
    assert (new["version"], new["in_use"], new["gate"]) == (NEW, False, "refused")
    assert (new["gate_at"], new["accuracy"]) == ("2026-11-28T18:00:00+00:00", 0.75)
    line = next(line for line in meter("list").splitlines() if NEW in line)
    for words in ("75.0%", "refused", "HPL (2 of 3 meters)"):
        assert words in line


def test_without_models_the_list_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path / "data"))
    assert "meter train" in meter("list")


def test_a_damaged_card_hides_no_other_model(layout: Layout) -> None:
    (layout.models / NEW / CARD).write_text("{", encoding="utf-8")
    shown = json.loads(meter("list", "--json"))
    assert [row["version"] for row in shown["models"]] == [OLD]
    assert NEW in shown["problems"][0]


def test_show_has_the_gates_reasons_and_tables(layout: Layout) -> None:
    shown = meter("show", NEW)
    assert f"The gate: refused, 2026-11-28 18:00 UTC against {OLD}" in shown
    assert "It forgets B: 10 of 10 test photos were right, now none is." in shown
    assert f"meter model accept {NEW}" in shown
    assert "Classes that both know" in shown
    assert "0 of 20 test photos of known types go to UNKNOWN; 5% is allowed." in shown
    assert "Of types that it was never shown it catches 80%, the champion 80%." in shown
    assert json.loads(meter("show", NEW, "--json"))["gate"]["by_class"][0]["class"] == "B"
    assert "The gate was not asked about it." in meter("show", OLD)


def test_a_version_that_is_not_there_is_said_without_a_run(layout: Layout) -> None:
    for command in (["show", "0009-x"], ["accept", "0009-x", "--why", "y"], ["rollback", "0009-x", "--why", "y"]):
        with pytest.raises(WeightsError, match="There is no model 0009-x"):
            meter(*command)
    assert not (layout.root / "dagster_home").exists()


def test_accept_and_roll_back_need_a_reason(layout: Layout) -> None:
    for command in (["accept", NEW], ["rollback"]):
        result = CliRunner().invoke(app, ["model", *command])
        assert result.exit_code == 2
        assert "--why" in result.output


def test_a_training_says_what_the_gate_said(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    print_verdict(layout, in_use_before=OLD)
    shown = capsys.readouterr().out
    assert shown.startswith(f"{NEW} is refused by the gate.")
    assert "It forgets B" in shown
    print_verdict(layout, in_use_before=NEW)
    assert capsys.readouterr().out == f"{NEW} is in use already: the photos and the settings are the same.\n"
