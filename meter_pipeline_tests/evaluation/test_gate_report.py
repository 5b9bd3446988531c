"""What is kept of a verdict is what it said, with its numbers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from meter_pipeline.errors import MeterError
from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, Word
from meter_pipeline.evaluation.gate.verdict import Verdict, judge
from meter_pipeline.evaluation.gate_report import challenger_problems, read_gate_report, report_of, write_gate_report
from meter_pipeline.labels import Outcome
from meter_pipeline.recognition.model_card import set_challenger, set_champion
from meter_pipeline.recognition.model_history import BY_THE_GATE
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.contenders import answers, contender

PHOTOS = answers({"a": 9, "b": 9})


def held() -> Verdict:
    drops = DropPhotos(
        last=("p1", "p2", "p3", "p4"),
        words={"p4": Word(is_decided=True, is_junk=True)},
        champion={"p1": "a", "p2": "a", "p3": "a", "p4": "UNKNOWN"},
        challenger={"p1": "b", "p2": "b", "p3": "b", "p4": "a"},
    )
    new = contender("0002-b", "abc", [*answers({"a": 9, "b": 8}), ("c0", "c", "c"), ("c1", "c", "a")])
    return judge(new, contender("0001-a", "ab", PHOTOS), tolerance=0.1, drops=drops)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    layout, verdict = Layout(tmp_path), held()
    assert read_gate_report(layout, "0002-b") is None
    report = report_of(verdict)
    write_gate_report(layout, report)
    read = read_gate_report(layout, "0002-b")
    assert read is not None
    assert (read.version, read.champion, read.outcome) == ("0002-b", "0001-a", Outcome.HELD)
    assert read.sentences == verdict.sentences
    assert read.reason == verdict.reason
    assert read.created_at == report.created_at
    assert read.comparison["change"] == pytest.approx(-0.05)
    assert [(row["class"], row["champion_right"], row["challenger_right"]) for row in read.by_class] == [
        ("b", 9, 8),
        ("a", 9, 9),
    ]
    assert read.new_classes == [{"class": "c", "recall": 0.5, "photos": 2, "right": 1, "measured_on": "test photos"}]
    assert read.changes == [
        {
            "before": "a",
            "after": "b",
            "kind": "one old class to another",
            "photos": 3,
            "image_ids": ["p1", "p2", "p3"],
        }
    ]
    assert read.rejected == [{"image_id": "p4", "name": "a", "is_junk": True, "is_new": True}]
    held_for = [finding for finding in read.findings if finding["outcome"] == Outcome.HELD]
    assert {finding["criterion"] for finding in held_for} == {
        "rejected names that come back",
        "names changed in the last drops",
    }
    assert all(finding["sentence"] in read.sentences for finding in held_for)


def test_the_first_models_report_has_no_comparison(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_gate_report(layout, report_of(judge(contender("0001-a", "ab", PHOTOS), None, tolerance=0.01)))
    read = read_gate_report(layout, "0001-a")
    assert read is not None
    assert (read.champion, read.outcome, read.by_class, read.changes) == (None, Outcome.ACCEPTED, [], [])


@pytest.mark.parametrize("damaged", ["{", "[]", '{"outcome": "maybe"}', '{"outcome": "held"}'])
def test_a_damaged_report_is_said(tmp_path: Path, damaged: str) -> None:
    layout = Layout(tmp_path)
    path = layout.gate_report("0001-a")
    path.parent.mkdir(parents=True)
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(MeterError, match=r"cannot be read.*0001-a\.json"):
        read_gate_report(layout, "0001-a")


def test_a_page_can_read_it_without_torch() -> None:
    code = "import sys, meter_pipeline.evaluation.gate_report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_challenger_that_is_not_in_use_is_a_problem_until_a_person_chooses(tmp_path: Path) -> None:
    layout, verdict = Layout(tmp_path), held()
    assert challenger_problems(layout) == []
    set_champion(layout, "0001-a", reason="first", by=BY_THE_GATE)
    set_challenger(layout, "0002-b")
    assert challenger_problems(layout) == [
        "0002-b has not been judged yet. Run meter train, or materialize champion_model."
    ]
    report = report_of(verdict)
    write_gate_report(layout, replace(report, created_at="2030-01-01T00:00:00+00:00"))
    assert challenger_problems(layout) == [verdict.reason]
    set_champion(layout, "0002-b", reason="a person wants it", by="anna")
    assert challenger_problems(layout) == []
    set_champion(layout, "0001-a", reason="not so good", by="anna", rolls_back=True)
    assert challenger_problems(layout) == [], "a person went back from it"


def test_who_puts_another_model_into_use_after_the_verdict_has_chosen(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    set_champion(layout, "0001-a", reason="first", by=BY_THE_GATE)
    set_challenger(layout, "0002-b")
    write_gate_report(layout, replace(report_of(held()), created_at="2020-01-01T00:00:00+00:00"))
    assert challenger_problems(layout) != [], "what the gate did is no person's choice"
    set_champion(layout, "0000-x", reason="rather this", by="anna")
    assert challenger_problems(layout) == []
