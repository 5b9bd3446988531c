"""The gate on what people rejected: it does not come back in silence."""

from __future__ import annotations

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, Word
from meter_pipeline.evaluation.gate.rejected import measure_rejected
from meter_pipeline.evaluation.gate.verdict import Verdict, judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import answers, contender

JUNK, NOT_A = Word(is_decided=True, is_junk=True), Word(is_decided=False, not_labels=("a",))
PHOTOS = answers({"a": 10, "b": 10})


def verdict_on(drops: DropPhotos) -> Verdict:
    return judge(contender("m2", "ab", PHOTOS), contender("m1", "ab", PHOTOS), tolerance=0.01, drops=drops)


def test_a_single_name_that_a_person_rejected_is_held_and_listed() -> None:
    drops = DropPhotos(
        words={"j": JUNK, "x": NOT_A, "y": NOT_A},
        champion=dict.fromkeys("jxy", "UNKNOWN"),
        challenger={"j": "b", "x": "a", "y": "b"},
    )
    verdict = verdict_on(drops)
    assert verdict.outcome == Outcome.HELD
    assert [(photo.image_id, photo.name, photo.is_junk) for photo in verdict.rejected.named_again] == [
        ("j", "b", True),
        ("x", "a", False),
    ]
    assert (
        "Names that a person rejected come back on 2 of 3 such photos (a, b); the model in use does not name these so."
    ) in verdict.reason


def test_what_the_model_in_use_does_too_is_listed_and_holds_nothing() -> None:
    drops = DropPhotos(words={"x": NOT_A}, champion={"x": "a"}, challenger={"x": "a"})
    verdict = verdict_on(drops)
    assert verdict.accepted
    assert [photo.is_new for photo in verdict.rejected.named_again] == [False]
    assert "It gives 1 photo a name that a person rejected, as the model in use does." in verdict.reason


def test_another_rejected_name_is_no_better_than_the_one_before() -> None:
    both = Word(is_decided=False, not_labels=("a", "b"))
    found = measure_rejected(DropPhotos(words={"x": both}, champion={"x": "a"}, challenger={"x": "b"}))
    assert found.came_back == ()


def test_photos_without_an_answer_or_that_were_trained_on_are_left_out() -> None:
    found = measure_rejected(
        DropPhotos(
            words={"lost": JUNK, "trained": NOT_A},
            champion={"lost": "UNKNOWN", "trained": "UNKNOWN"},
            challenger={"trained": "a"},
            trained_on=frozenset({"trained"}),
        )
    )
    assert (found.photos, found.named_again) == (0, ())
