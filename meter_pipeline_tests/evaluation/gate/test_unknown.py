"""The gate on UNKNOWN: who names everything does not come in, nor who sends known photos to review."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

import pytest

from meter_pipeline.evaluation.gate.contender import GuardFigures
from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, Word
from meter_pipeline.evaluation.gate.verdict import Verdict, judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import GUARD, answers, contender

PHOTOS = answers({"a": 50, "b": 50}, photos=50)
JUNK = Word(is_decided=True, is_junk=True)


def flagging(challenger: int, champion: int, photos: int = 100) -> Verdict:
    """Two models that name the same, and send so many of the known test photos to UNKNOWN."""
    old, new = (
        contender(version, "ab", PHOTOS[:photos], flags=[image_id for image_id, *_ in PHOTOS[:flagged]])
        for version, flagged in (("m1", champion), ("m2", challenger))
    )
    return judge(new, old, tolerance=0.01)


def guarded(now: GuardFigures, before: GuardFigures = GUARD) -> Verdict:
    """Two models that name the same, with these guards."""
    return judge(contender("m2", "ab", PHOTOS, guard=now), contender("m1", "ab", PHOTOS, guard=before), tolerance=0.01)


def with_junk(named: Iterable[int], named_before: Iterable[int] = (), photos: int = 50) -> Verdict:
    """Two models that name the same test photos rightly, and name so many photos of junk as a class."""
    ids = [f"junk{number}" for number in range(photos)]
    now, before = (
        {image_id: "a" if number in set(some) else "UNKNOWN" for number, image_id in enumerate(ids)}
        for some in (named, named_before)
    )
    drops = DropPhotos(words=dict.fromkeys(ids, JUNK), champion=before, challenger=now)
    return judge(contender("m2", "ab", PHOTOS), contender("m1", "ab", PHOTOS), tolerance=0.01, drops=drops)


def test_known_photos_may_go_to_unknown_as_asked_for_and_two_points_beyond() -> None:
    assert flagging(7, 2).accepted
    held = flagging(14, 2)
    assert held.outcome == Outcome.HELD
    assert "It sends 14% of known photos to UNKNOWN (14 of 100 test photos); 7% is allowed." in held.reason
    assert (held.unknown.known_flagged, held.unknown.compared_flagged_champion) == (14, 2)


def test_one_of_three_photos_proves_nothing() -> None:
    assert flagging(1, 0, photos=3).accepted


def test_a_model_that_flags_no_more_than_the_one_in_use_is_not_held_for_that() -> None:
    verdict = flagging(14, 14)
    assert verdict.accepted
    assert "It sends 14% of known photos to UNKNOWN; 7% is allowed, but the model in use does no better." in (
        verdict.reason
    )


def catching(*shares: float) -> GuardFigures:
    """A guard that catches such shares of classes that were hidden."""
    return replace(GUARD, hidden_caught=fmean(shares), hidden_by_class=dict(zip("cdefghij", shares, strict=False)))


@pytest.mark.parametrize(
    ("now", "before", "outcome"),
    [
        ([0.75] * 8, [0.8] * 8, Outcome.ACCEPTED),  # five points less are allowed
        ([0.70] * 8, [0.8] * 8, Outcome.HELD),
        ([0.55] * 8, [0.8] * 8, Outcome.REFUSED),
        ([0.95] * 8, [0.8] * 8, Outcome.ACCEPTED),
        ([0.0, *[0.8] * 7], [0.8] * 8, Outcome.ACCEPTED),  # one class of eight is chance, however many photos it has
        ([0.70] * 4, [0.8] * 4, Outcome.HELD),  # four classes cannot tell it from chance
    ],
)
def test_hidden_classes_are_caught_as_before(now: list[float], before: list[float], outcome: Outcome) -> None:
    assert guarded(catching(*now), catching(*before)).outcome == outcome


def test_classes_that_only_one_of_them_hid_are_not_compared() -> None:
    hard = catching(*[0.8] * 6)
    hard = replace(hard, hidden_caught=0.4, hidden_by_class={**hard.hidden_by_class, "y": 0.0, "z": 0.0})
    assert guarded(hard, catching(*[0.8] * 6)).accepted
    nothing_shared = replace(GUARD, hidden_caught=0.4, hidden_by_class={"y": 0.4})
    assert guarded(nothing_shared, catching(*[0.8] * 6)).outcome == Outcome.HELD


def test_what_is_caught_is_said_before_and_after() -> None:
    assert "it catches 55% instead of 80%." in guarded(catching(*[0.55] * 8), catching(*[0.8] * 8)).reason
    by_chance = guarded(catching(0.0, *[0.8] * 7), catching(*[0.8] * 8))
    assert "it catches 70% instead of 80%, which may be chance." in by_chance.reason


def test_a_guard_that_is_off_or_no_longer_measured_is_held() -> None:
    off = guarded(replace(GUARD, is_on=False, hidden_caught=None))
    assert off.outcome == Outcome.HELD
    assert "Its guard is off" in off.reason
    unmeasured = guarded(replace(GUARD, hidden_caught=None))
    assert unmeasured.outcome == Outcome.HELD
    assert "is not measured; the model in use catches 80%" in unmeasured.reason
    never_was = replace(GUARD, is_on=False, hidden_caught=None)
    assert guarded(never_was, never_was).accepted
    assert guarded(GUARD, never_was).accepted


def test_junk_that_is_no_longer_caught_is_held_and_refused_where_it_is_much() -> None:
    assert with_junk(named=range(20), named_before=range(20)).accepted, "no worse than the model in use"
    some = with_junk(named=range(6))
    assert some.outcome == Outcome.HELD
    assert "Of 50 photos that people marked as junk it leaves 88% without a name instead of 100%." in some.reason
    many = with_junk(named=range(15))
    assert many.outcome == Outcome.REFUSED
    assert (many.unknown.junk_caught, many.unknown.junk_caught_champion, many.unknown.junk_lost) == (35, 50, 15)


def test_junk_that_is_too_dark_is_caught() -> None:
    drops = DropPhotos(words={"j": JUNK}, champion={"j": "UNKNOWN"}, challenger={"j": "DARK"})
    old, new = contender("m1", "ab", PHOTOS), contender("m2", "ab", PHOTOS)
    verdict = judge(new, old, tolerance=0.01, drops=drops)
    assert verdict.accepted
    assert verdict.unknown.junk_caught == 1
