"""The verdict: the worst of what was found wins and is said first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos
from meter_pipeline.evaluation.gate.findings import (
    Criterion,
    Finding,
    is_clearly_lower,
    is_clearly_over,
    is_clearly_worse,
    worst,
)
from meter_pipeline.evaluation.gate.sentences import sentence_of
from meter_pipeline.evaluation.gate.verdict import RolledBack, judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import GUARD, answers, contender

PHOTOS = answers({"a": 10, "b": 10})
OLD, NEW = contender("m1", "ab", PHOTOS), contender("m2", "ab", PHOTOS)
ROLLED_BACK = RolledBack(at="2026-11-28T18:04:05.123+00:00", by="anna", reason="names flats as LT2")


def test_a_model_that_was_rolled_back_is_held_with_who_when_and_why() -> None:
    verdict = judge(NEW, OLD, tolerance=0.01, rolled_back=ROLLED_BACK)
    assert verdict.outcome == Outcome.HELD
    assert verdict.sentences[:3] == [
        "m1 stays.",
        "m2 is held until a person decides (meter model accept m2).",
        'It was in use and was rolled back: on 2026-11-28 at 18:04 UTC by anna, "names flats as LT2".',
    ]
    nameless = judge(NEW, OLD, tolerance=0.01, rolled_back=replace(ROLLED_BACK, by=""))
    assert 'on 2026-11-28 at 18:04 UTC, "names flats as LT2".' in nameless.reason


def test_the_worst_wins_and_comes_first() -> None:
    unknown = {f"u{number}": "UNKNOWN" for number in range(20)}
    drops = DropPhotos(last=tuple(unknown), champion=unknown, challenger=dict.fromkeys(unknown, "a"))
    verdict = judge(NEW, OLD, tolerance=0.01, rolled_back=ROLLED_BACK, drops=drops)
    assert verdict.outcome == Outcome.REFUSED
    assert [finding.criterion for finding in verdict.findings[:2]] == [Criterion.UNKNOWN_NAMED, Criterion.ROLLED_BACK]
    assert verdict.sentences[2].startswith("It gains by naming everything")
    assert verdict.reason == " ".join(verdict.sentences)


def test_one_that_names_everything_is_refused_by_its_guard_and_by_the_drops() -> None:
    """All test photos are right: what it gives away is to know that it does not know."""
    unknown = {f"u{number}": "UNKNOWN" for number in range(30)}
    drops = DropPhotos(last=tuple(unknown), champion=unknown, challenger=dict.fromkeys(unknown, "b"))
    everything = contender(
        "m2", "ab", PHOTOS, guard=replace(GUARD, hidden_caught=0.1, hidden_by_class=dict.fromkeys("cdefgh", 0.1))
    )
    verdict = judge(everything, OLD, tolerance=0.01, drops=drops)
    assert verdict.outcome == Outcome.REFUSED
    refused = {finding.criterion for finding in verdict.findings if finding.outcome == Outcome.REFUSED}
    assert refused == {Criterion.HIDDEN_CAUGHT, Criterion.UNKNOWN_NAMED}


def test_nothing_found_is_accepted() -> None:
    assert worst([]) == Outcome.ACCEPTED
    assert judge(NEW, OLD, tolerance=0.01).accepted


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_finding_has_its_sentence(criterion: Criterion, outcome: Outcome) -> None:
    text = sentence_of(Finding(criterion=criterion, outcome=outcome, names=("a{b}",), value=0.5, before=0.6, limit=0.1))
    assert text.endswith(".")
    assert "None" not in text


def test_what_chance_explains() -> None:
    assert not is_clearly_worse(5, 0)  # p = 0.0625
    assert is_clearly_worse(6, 0)  # p = 0.03125
    assert not is_clearly_worse(0, 6)
    assert not is_clearly_worse(0, 0)
    assert not is_clearly_over(0, 0, 0.07)
    assert not is_clearly_over(1, 3, 0.07)  # p = 0.196
    assert is_clearly_over(2, 3, 0.07)  # p = 0.014
    assert is_clearly_lower([0.1] * 5, [0.2] * 5)  # p = 1/32
    assert not is_clearly_lower([0.1] * 4, [0.2] * 4)
    assert not is_clearly_lower([0.0, *[0.5] * 9], [0.5] * 10)
    assert not is_clearly_lower([0.2] * 5, [0.1] * 5)
