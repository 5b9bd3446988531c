"""The gate on new classes: they can be named, and photos of old ones do not get their names."""

from __future__ import annotations

import pandas as pd
import pytest

from meter_pipeline.evaluation.gate.contender import Contender
from meter_pipeline.evaluation.gate.new_classes import OUT_OF_FOLD, TEST, measure_new_classes
from meter_pipeline.evaluation.gate.verdict import judge
from meter_pipeline.labels import Outcome
from meter_pipeline_tests.support.contenders import Answer, answers, contender, held_out

AB = ("a", "b", "other")
KNOWN = answers({"a": 9, "b": 9})
OLD = contender("m1", AB, KNOWN)


def with_new_class(right: int, photos: int, of_folds: pd.DataFrame | None = None) -> Contender:
    """A model that also knows c, and has so many of its test photos right."""
    of_c = answers({"c": right}, photos=photos)
    more = {} if of_folds is None else {"held_out": of_folds}
    return contender("m2", (*AB, "c"), [*KNOWN, *of_c], **more)


def test_a_new_class_is_a_gain_and_no_part_of_the_comparison() -> None:
    of_c = [("c0", "c", "a"), ("c1", "c", "c")]
    verdict = judge(contender("m2", (*AB, "c"), [*KNOWN, *of_c]), OLD, tolerance=0)
    assert verdict.accepted
    assert verdict.comparison.n_common == 20
    (new,) = verdict.new_classes.classes
    assert (new.name, new.photos, new.recall, new.measured_on) == ("c", 2, 0.5, TEST)
    assert "New: c (recall 0.50 on 2 test photos)." in verdict.reason
    assert "Too few photos to measure c: 4 of a class are needed." in verdict.reason
    # but it does not pay for getting worse at what was known
    poor = contender("m2", (*AB, "c"), [*answers({"a": 9, "b": 7}), ("c0", "c", "c"), ("c1", "c", "c")])
    assert not judge(poor, OLD, tolerance=0.01).accepted


def test_a_new_class_that_is_hardly_recognised_is_held_if_there_are_photos_to_say_so() -> None:
    assert judge(with_new_class(2, 4), OLD, tolerance=0).accepted
    held = judge(with_new_class(1, 4), OLD, tolerance=0)
    assert held.outcome == Outcome.HELD
    assert "The new class c has recall 0.25 on 4 test photos; at least 0.50 is needed." in held.reason
    assert judge(with_new_class(0, 3), OLD, tolerance=0).accepted, "three photos prove nothing"


def test_without_enough_test_photos_the_photos_held_out_from_folds_count() -> None:
    good, poor = (held_out([("c", number < right) for number in range(8)]) for right in (6, 2))
    (new,) = measure_new_classes(with_new_class(0, 1, good), OLD).classes
    assert (new.photos, new.right, new.measured_on) == (8, 6, OUT_OF_FOLD)
    assert judge(with_new_class(0, 1, good), OLD, tolerance=0).accepted
    verdict = judge(with_new_class(0, 0, poor), OLD, tolerance=0)
    assert verdict.outcome == Outcome.HELD
    assert "c has recall 0.25 on 8 photos held out from folds" in verdict.reason
    assert judge(with_new_class(4, 4, poor), OLD, tolerance=0).accepted, "test photos go first"


def test_a_hidden_photo_says_nothing_of_recall() -> None:
    hidden = held_out([("c", False)] * 8).assign(hidden=True)
    verdict = judge(with_new_class(0, 0, hidden), OLD, tolerance=0)
    assert verdict.accepted
    assert "New: c (not measured)." in verdict.reason


def test_old_photos_that_get_the_new_name_are_counted_and_held_if_many() -> None:
    def taking(count: int) -> Contender:
        says: list[Answer] = [(i, t, "c" if n < count else p) for n, (i, t, p) in enumerate(KNOWN)]
        return contender("m2", (*AB, "c"), says)

    verdict = judge(taking(3), OLD, tolerance=1)
    assert verdict.outcome == Outcome.HELD
    assert verdict.new_classes.taken == (("a", "c", 3),)
    assert "3 of 20 test photos of old classes get a new class's name (a as c (3)); 2% is allowed." in verdict.reason
    two = judge(taking(2), OLD, tolerance=1)
    assert two.accepted, "one or two photos prove nothing"
    assert "Test photos of old classes that get a new name: a as c (2)." in two.reason


def test_an_old_photo_that_is_left_unknown_has_no_new_name() -> None:
    says: list[Answer] = [(i, t, "c") for i, t, _ in KNOWN]
    new = contender("m2", (*AB, "c"), says, flags=[image_id for image_id, *_ in KNOWN])
    assert measure_new_classes(new, OLD).photos_taken == 0


def test_without_a_champion_no_class_is_new() -> None:
    assert measure_new_classes(with_new_class(1, 4), None).classes == ()


def test_recall_of_no_photos_is_not_defined() -> None:
    (new,) = measure_new_classes(with_new_class(0, 0), OLD).classes
    assert new.recall is None
    assert not new.is_measured
    assert judge(with_new_class(0, 0), OLD, tolerance=0).comparison.own_macro_recall == pytest.approx(0.9)
